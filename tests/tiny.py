"""A model, a task and a bench that run in a fraction of a second: what every method is tried on.

Methods on text get the reviews task with random weights; methods of another subject their card's own task, made small.
"""

from __future__ import annotations

import atexit
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from operant.compare.bench import View, Workbench, no_cycle
from operant.compare.budget import Ceiling
from operant.compare.feedback import label_ceiling
from operant.compare.options import Options
from operant.compare.rows import Row, config_of
from operant.compare.tasks import embedded, represent, subject_of
from operant.conditioning.text import ConditionedRow
from operant.data.cut import cut_ids
from operant.disk import content_hash
from operant.domains.text.tasks.reviews.grammar import vocabulary
from operant.domains.text.tasks.reviews.task import Knobs, Reviews
from operant.engine.logps import AnswerLogps, answer_logps
from operant.engine.policy import LanguageModel
from operant.meter import Cost, charge, charge_cost, metered
from operant.methods import card, load
from operant.models.small import small_llama
from operant.models.steps import STEP_END, step_texts
from operant.models.text import Encoded, encode_prompt
from operant.schema import Answer, Decoding, Document, Generator, Judged, Pair, Products, Prompt, Score
from operant.training import pairs
from operant.training.pairs import PairLogps, PairRow, answers_of, pair_rows, preference_ceiling

OPTIONS = Options(methods=("base",), task="reviews", seeds=1, best_of=4, points=2, max_tokens=6, max_length=96)
KNOBS = Knobs(pairs=24, valid_pairs=8, test_prompts=6, test_pairs=8)
DECODING = Decoding(max_tokens=OPTIONS.max_tokens)
FOLDER = TemporaryDirectory()  # of this process's runs; taken away at its end
atexit.register(FOLDER.cleanup)
PAIRS = 6  # rows of feedback, or training prompts, of tasks on other subjects
SMALL = {"env_steps": 3000.0, "evaluations": 300.0, "flops": 2e10}  # ceilings where the task names its own
EPOCHS = 3  # of preference training: the ceiling, as in a comparison; 9 steps of 8 pairs


class Graded(Reviews):
    """The reviews task as the comparison sees it. Pairs say whose they are: three users, two groups."""

    def pairs(self, split: Any, *, attribute: str | None = None) -> list[Pair]:
        return [of_user(pair, place % 3) for place, pair in enumerate(super().pairs(split, attribute=attribute))]

    def judged(self, split: Any) -> list[Judged]:
        """Rated reviews whose clauses are called right in turn with wrong, and what their reader said next."""
        judged = super().judged(split)
        counts = [len(step_texts(str(one.answer.value), STEP_END)) for one in judged]
        labels = [tuple(place % 2 == 0 for place in range(count)) for count in counts]
        stepped = [replace(one, steps=own) for one, own in zip(judged, labels, strict=True)]
        return [followed(one, f"that is {'good' if (one.rating or 0) > 4 else 'poor'} .") for one in stepped]


def of_user(pair: Pair, number: int) -> Pair:
    columns = {**pair.prompt.columns, "user": f"user {number}", "group": "two" if number == 2 else "one"}
    return replace(pair, prompt=replace(pair.prompt, columns=columns))


def followed(one: Judged, word: str) -> Judged:
    columns = {**one.prompt.columns, "follow_up": f"that is {word} ."}
    return replace(one, prompt=replace(one.prompt, columns=columns))


class Blind(Graded):
    """The same for methods: whoever asks for gold or the test split is caught. Pairs have a baseline answer."""

    @property
    def bodies(self) -> tuple[str, ...]:
        return bodies()

    def prompts(self, split: Any) -> Any:
        assert split != "test", "a method asked for the test prompts"
        remembered = {"congruent": tuple(one.prompt.id for one in super().judged(split)[:3])}
        return [replace(one, columns={**one.columns, **remembered}) for one in super().prompts(split)]

    def pairs(self, split: Any, *, attribute: str | None = None) -> list[Pair]:
        assert split != "test", "a method asked for the test pairs"
        pairs = super().pairs(split, attribute=attribute)
        return [replace(pair, baseline=Answer(value=self.canned[0])) for pair in pairs]

    def gold(self, prompts: Any, answers: Any) -> Any:
        raise AssertionError("a method asked for gold")

    def verify(self, prompts: Any, answers: Any) -> list[Score]:
        """A verifier, which the reviews lack: about half of all words are right to begin with."""
        charge(verifier_calls=len(prompts))
        return [Score(value=float(str(answer.value)[:1] < "m")) for answer in answers]


@cache
def base() -> LanguageModel:
    """Random weights over the vocabulary of the reviews; the same object for all, which nobody may train."""
    return LanguageModel(*small_llama(vocabulary(), hidden=32, layers=1))


@cache
def bodies() -> tuple[str, ...]:
    """Four models that differ in their seed alone, half as wide as the base; the folder goes with the process."""
    where = Path(FOLDER.name)
    for seed in range(4):
        LanguageModel(*small_llama(vocabulary(), hidden=16, layers=1, seed=seed)).save(where / str(seed))
    return tuple(str(where / str(seed)) for seed in range(4))


def text_rows(tokenizer: Any, documents: list[Document], *, max_length: int) -> list[Encoded]:
    """Texts as rows in the plainest way, to hold others against: prompt, then text and EOS, cut on the right."""
    rows = []
    for one in documents:
        prompt = encode_prompt(tokenizer, one.prompt or Prompt(id="", content=""))
        text = tokenizer("".join(one.segments), add_special_tokens=False)["input_ids"]
        kept = cut_ids(prompt, (*text, tokenizer.eos_token_id), max_length)
        rows.append(Encoded(tuple(kept.prompt), tuple(kept.answer)))
    return [row for row in rows if row.answer]


@cache
def graded() -> Graded:
    """What products are graded on."""
    return Graded(knobs=KNOBS)


class Shut:
    """A task of any subject as methods may see it: whoever asks for gold or the test split is caught."""

    def __init__(self, task: Any):
        self._task = task

    def __getattr__(self, name: str) -> Any:
        assert name != "gold", "a method asked for gold"
        return getattr(self._task, name)

    def prompts(self, split: Any) -> Any:
        assert split != "test", "a method asked for the test prompts"
        return self._task.prompts(split)


class Stage(NamedTuple):
    """Where a method of one subject is tried."""

    base: Any
    graded: Any  # the task as the comparison sees it
    task: Any  # as methods see it
    ceiling: Ceiling


@cache
def stage(slug: str, seed: int = 0) -> Stage:
    """By the subject of the card's task; a method on text has the reviews, whatever its task."""
    name = card(slug).task
    if subject_of(name) == "text":
        task = Blind(seed=seed, knobs=KNOBS)
        return Stage(base(), graded(), task, text_ceiling(task, EPOCHS))
    whole = embedded(name, seed=seed, pairs=PAIRS, test_prompts=KNOBS.test_prompts)
    ceiling = Ceiling(labels=label_ceiling(whole), **{name: SMALL[name] for name in whole.allowance})
    return Stage(whole.base(), whole, Shut(whole), ceiling)


def text_ceiling(task: Any, epochs: float) -> Ceiling:
    rows = pair_rows(base().tokenizer, task.pairs("train"), max_length=OPTIONS.max_length)
    return Ceiling(preference_ceiling(base().module, rows, epochs=epochs), label_ceiling(task))


def config(slug: str, **settings: Any) -> Any:
    """A method's settings as a comparison would choose them on a small model."""
    return config_of(load(slug), Row(name=slug, slug=slug, settings=settings), OPTIONS, small=True)


@dataclass
class Made:
    products: Products
    cost: Cost


def bench(directory: Path, *, seed: int = 0, task: Any = None, epochs: float = EPOCHS, slug: str = "base") -> Workbench:
    """What a method receives; products of other methods are made in memory, once a bench, and charged in full.

    `slug` decides the subject.
    """
    stands = stage(slug, seed)
    if task is not None or epochs != EPOCHS:
        task = task or stands.task
        stands = stands._replace(task=task, ceiling=text_ceiling(task, epochs))
    made: dict[str, Made] = {}

    def workbench(where: Path) -> Workbench:
        return Workbench(
            base=stands.base, task=View(stands.task), budget=stands.ceiling, seed=seed, dir=where,
            max_length=OPTIONS.max_length, decoding=DECODING, resolve=resolve, own=own,
        )  # fmt: skip

    def resolve(slug: str, settings: dict[str, Any]) -> Products:
        key = f"{slug}-{content_hash(settings)}"
        if key not in made:
            with no_cycle(slug), metered() as cost:
                products = load(slug).run(config(slug, **settings), workbench(directory / key))
            made[key] = Made(products, cost)
        charge_cost(made[key].cost)
        return made[key].products

    def own(settings: Any, where: Path) -> Products:
        raise AssertionError(f"no grid of runs is set up here: {settings}, {where}")

    return workbench(directory / "run")


def run(slug: str, directory: Path, *, seed: int = 0, **settings: Any) -> tuple[Products, Cost]:
    """A method on the tiny bench, and what it cost."""
    with metered() as cost:
        products = load(slug).run(config(slug, **settings), bench(directory, seed=seed, slug=slug))
    return products, cost


def once(slug: str, *, epochs: float = EPOCHS, **settings: Any) -> Products:
    """What a method makes, kept for every test of this process that holds another run against it."""
    return _once(slug, epochs, tuple(sorted(settings.items())))


@cache
def _once(slug: str, epochs: float, settings: tuple[tuple[str, Any], ...]) -> Products:
    where = Path(FOLDER.name) / f"{slug}-{content_hash([epochs, repr(settings)])}"
    return load(slug).run(config(slug, **dict(settings)), bench(where, epochs=epochs, slug=slug))


def first_answer(generator: Generator, prompts: list[Prompt], *, seed: int) -> str:
    return str(generator.answer(prompts[:1], n=1, decoding=DECODING, seed=seed)[0][0].value)


def grade(products: Products, *, seed: int = 0, slug: str = "base") -> dict[str, Any]:
    """What a comparison reads off a product, as JSON: answers, log-probabilities, KL, points, scores."""
    stands, found = stage(slug), {"findings": [asdict(one) for one in products.findings]}
    task, about = stands.graded, represent(stands.graded.subject)
    prompts = task.prompts("test")
    if products.generator is not None:
        drawn = products.generator.answer(prompts, n=2, decoding=DECODING, seed=seed)
        first = [many[0] for many in drawn]
        logps = products.generator.logps(prompts, first)
        kl = products.generator.kl(stands.base, prompts, first)
        found["answers"] = [[about.dump(one) for one in many] for many in drawn]
        found["logps"] = None if logps is None else [list(one) for one in logps]
        found["kl"] = [kl.kind, None if kl.values is None else list(kl.values)]
        found["points"] = [
            [point.knob, point.value, first_answer(point.generator, prompts, seed=seed)]
            for point in products.generator.points()
        ]
    for name in ("scorer", "own_reward"):
        scorer = getattr(products, name)
        if scorer is not None:
            pairs = task.pairs("test")
            asked, chosen, rejected = ([getattr(p, side) for p in pairs] for side in ("prompt", "chosen", "rejected"))
            found[name] = [[one.value, one.why] for one in scorer.score(asked, chosen)]
            found[f"{name} compares"] = scorer.compare(asked, chosen, rejected)
    return found


def pair_logps(module: Any, rows: list[PairRow]) -> PairLogps:
    """Differentiable log-probabilities of pairs, which training takes a tile at a time."""
    found = answer_logps(module, [answer for row in rows for answer in answers_of(row)], pad=0)
    return pairs.pair_logps(rows, found)._replace(batch=rows)


def learnt_logps(module: Any, rows: list[ConditionedRow]) -> AnswerLogps:
    """Differentiable log-probabilities of texts, 0 where nothing is learnt."""
    logps, mask = answer_logps(module, [row.encoded for row in rows], pad=0)
    mask = mask.clone()
    for place, row in enumerate(rows):
        mask[place, : len(row.learnt)] &= mask.new_tensor(row.learnt)
    return AnswerLogps(logps.masked_fill(~mask, 0.0), mask)
