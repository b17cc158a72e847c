"""Everything a worker needs of a comparison under one seed, made once per process from the run's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from operant.compare.bench import View, Workbench, no_cycle
from operant.compare.budget import Ceiling
from operant.compare.feedback import ceiling_of, has_weights
from operant.compare.options import Options
from operant.compare.products import charge_made, load_made, make
from operant.compare.rows import SMALL, Row, config_json, config_of
from operant.compare.scorers import scorer_from
from operant.compare.tasks import embedded, represent
from operant.data.represented import Represent
from operant.disk import content_hash, read_json
from operant.domains.text.tasks.from_file import FromFile, Named
from operant.errors import offered
from operant.methods import load
from operant.schema import Decoding, Policy, Products, Scorer

LOADED = 4  # products that a process holds at once


@dataclass
class Setup:
    """One comparison under one seed."""

    options: Options
    seed: int
    run: Path
    task: Any  # a Task
    base: Policy
    ceiling: Ceiling
    train: str = "train"  # the split that feedback comes from; the held-out judge has its own
    loaded: dict[Path, Products] = field(default_factory=dict)  # products that this process has read

    @property
    def represent(self) -> Represent:
        """How this subject's answers are stored and described."""
        return represent(self.task.subject)

    @property
    def small(self) -> bool:
        """Whether a card's settings for small models apply; an endpoint's size is unknown, so not to it."""
        if self.task.allowance:  # an embedded task of another subject, whose methods bring nets of their own
            return True
        return has_weights(self.base) and sum(weight.numel() for weight in self.base.module.parameters()) < SMALL

    @property
    def decoding(self) -> Decoding:
        return Decoding(max_tokens=self.options.answer_tokens)

    def bench(self, row: Row, directory: Path, *, share: float = 1.0) -> Workbench:
        """What one run of a method receives; `share` of the ceiling's FLOPs."""

        def own(settings: Mapping[str, Any], where: Path) -> Products:
            method = load(row.slug)
            config = config_of(method, row, self.options, small=self.small, chosen=dict(settings))
            return method.run(config, self.bench(row, where, share=share))

        return Workbench(
            base=self.base, task=View(self.task, train=self.train),
            budget=self.ceiling.scaled(share), seed=self.seed, dir=directory,
            max_length=self.options.max_length, decoding=self.decoding, resolve=self.product, own=own,
        )  # fmt: skip

    def product(self, slug: str, settings: dict[str, Any]) -> Products:
        """Another method's product under this seed, at its default settings but for `settings`."""
        row = Row(name=slug, slug=slug, settings=settings)
        return self.made(row, config_of(load(slug), row, self.options, small=self.small))

    def made(self, row: Row, config: Any) -> Products:
        """A method's product from the run's cache, charged in full; rows with equal settings share it."""
        method = load(row.slug)
        about = {"slug": row.slug, "config": config_json(config), "seed": self.seed, "train": self.train}
        directory = self.run / "products" / f"{row.slug}-{self.seed}-{content_hash(about, length=8)}"
        if directory not in self.loaded:
            with no_cycle(row.slug):
                bench = self.bench(row, directory.with_name(f"{directory.name}.work"))
                make(method, config, bench, directory, about=about)
            if len(self.loaded) >= LOADED:
                self.loaded.pop(next(iter(self.loaded)))
            self.loaded[directory] = load_made(method, config, directory, self.base)
        charge_made(directory)
        return self.loaded[directory]

    @property
    def proxy(self) -> Scorer | None:
        """The reward model that scores every row; None where there are no pairs, or no weights to put a head on."""
        return self.product("bradley-terry", {}).scorer if self._has_proxy else None

    @cached_property
    def _has_proxy(self) -> bool:
        return has_weights(self.base) and bool(offered(lambda: self.task.pairs(self.train)))

    def judge(self) -> Scorer:
        """A reward model from feedback and prompts that no method sees: the substitute for gold on user data."""
        apart = Setup(self.options, 1_000_003, self.run, self.task, self.base, self.ceiling, train="judge")
        scorer = apart.proxy
        assert scorer is not None
        return scorer


@lru_cache(maxsize=4)
def setup(run: Path, seed: int) -> Setup:
    """From the options stored in a run's directory."""
    options = Options.from_json(read_json(run / "run.json")["options"])
    task = make_task(options, seed=seed)
    base = task.base(options.loading)
    made = Setup(options, seed, run, task, base, ceiling_of(task, base, options))
    if task.needs_judge:
        task.use_judge(made.judge)
    return made


def make_task(options: Options, *, seed: int) -> Any:
    """The task of a comparison; feedback of embedded tasks is drawn anew for each seed, files stay as they are."""
    if options.task is not None:
        return embedded(options.task, seed=seed, pairs=options.limit, test_prompts=options.prompts)
    spec = options.scorer
    named = None if spec is None else Named(spec, scorer_from(spec, max_length=options.max_length))
    return FromFile(
        model=str(options.model), data=str(options.data), columns=dict(options.columns), limit=options.limit,
        on_bad_row=options.on_bad_row, test_prompts=options.prompts, named=named,
    )  # fmt: skip
