"""RSRM: a tree search over formulas with a double Q table, genetic refinement, and forms that good formulas share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from operant.card import Card, Claim, Method
from operant.data.modelless import WithoutModel
from operant.disk import answer_seed, read_json, write_json
from operant.domains.symbolic.exact import to_sympy
from operant.domains.symbolic.expression import OPERATORS, PLACEHOLDER, Points, Tokens
from operant.domains.symbolic.samples import Samples
from operant.errors import UnknownName, require
from operant.methods.science.rsrm.forms import Form, Ranked, form_of
from operant.methods.science.rsrm.genetic import Breeding, refine
from operant.methods.science.rsrm.growing import Rules
from operant.methods.science.rsrm.scoring import Found, Measure, Scoring, reward
from operant.methods.science.rsrm.table import Searched, Selection, Table
from operant.schema import Answer, Bench, Decoding, Policy, Products, Prompt

KEPT = 250  # formulas of a search that refinement starts from
CLEARED = (25, 30)  # epochs after which the tables of the free search and of the search in a form begin anew


@dataclass(frozen=True, kw_only=True)
class Config:
    """How formulas are looked for; defaults of the authors' release."""

    operators: tuple[str, ...] = ("add", "sub", "mul", "div", "exp", "log", "cos", "sin")
    constants: bool = True  # whether formulas may have constants, which are fitted
    selection: Selection = "code"
    genetic: bool = True
    forms: bool = True  # whether shared parts are frozen
    error: Measure = "rmse"
    tolerance: float = 1e-5  # an error at which the search ends
    eps: float = 0.6
    tries: int = 10
    q_rate: float = 1e-3
    rollouts: int = 100
    max_tokens: int = 20
    population: int = 500
    generations: int = 30

    def __post_init__(self) -> None:
        for operator in self.operators:
            if operator not in OPERATORS:
                raise UnknownName("operator", operator, OPERATORS)
        require(0 <= self.eps <= 1, "eps", self.eps, "0 to 1")
        for name in ("tries", "rollouts", "max_tokens", "generations"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        require(self.population >= 2, "population", self.population, "at least 2")

    def rules(self, variables: int) -> Rules:
        names = tuple(f"x{place}" for place in range(1, variables + 1))
        more = (PLACEHOLDER,) if self.constants else ()
        return Rules(vocabulary=(*self.operators, *names, *more), max_tokens=self.max_tokens)


@dataclass(frozen=True)
class Discovered:
    """The best formula that was found, and what it took."""

    tokens: Tokens
    error: float
    evaluations: int
    trace: tuple[tuple[int, str], ...]  # (epoch, form) that searches were bound to

    @property
    def expression(self) -> Any:
        """As sympy writes it; constants near small fractions become those."""
        return to_sympy(self.tokens)


def discover(
    points: Points | Sequence[Sequence[float]], values: Points | Sequence[float], *, config: Config | None = None,
    evaluations: int = 100_000, seed: int = 0,
) -> Discovered:  # fmt: skip
    """A formula for values [rows] at points [rows, variables].

    Raises: BadValue for values that are not finite or all equal, or points without a variable.
    """
    samples = Samples(np.asarray(points, dtype=np.float64), np.asarray(values, dtype=np.float64))
    return Search(config or Config(), samples, evaluations, seed).run()


class Search:
    """One search: a free one, and one within the form that the best formulas suggest."""

    def __init__(self, config: Config, samples: Samples, evaluations: int, seed: int):
        self.config, self.evaluations = config, evaluations
        self.rng = np.random.default_rng(seed)
        self.rules = config.rules(samples.points.shape[1])
        self.scoring = Scoring(samples, evaluations, config.error, config.constants, self.rng)
        self.how = Searched(selection=config.selection, eps=config.eps, tries=config.tries, rate=config.q_rate,
                            rollouts=config.rollouts)  # fmt: skip
        self.form: Form | None = None
        self.tables = [self._table(), self._table()]
        self.trace: list[tuple[int, str]] = []

    def _table(self) -> Table:
        return Table(self.rules, self.how, self.rng)

    def over(self) -> bool:
        return self.scoring.spent or self.scoring.best.error <= self.config.tolerance

    def run(self) -> Discovered:
        """Epochs until the error is small enough or the evaluations are spent."""
        epoch = 0
        while not self.over():
            for place, span in enumerate(CLEARED):
                if epoch % span == span - 1:
                    self.tables[place] = self._table()
            if epoch % 10 <= 8:
                self._free(epoch)
            if epoch % 10 >= 5 and self.form is not None:
                self._search(1, self.form)
            epoch += 1
        best = self.scoring.best
        return Discovered(best.tokens, best.error, self.evaluations - self.scoring.evaluations, tuple(self.trace))

    def _free(self, epoch: int) -> None:
        found = self._search(0, None)
        if self.config.forms and not self.over():
            self.form = form_of([Ranked(one, self.scoring.counts[key]) for key, one in found])
            if self.form is not None:
                self.trace.append((epoch, f"{self.form.operator} {' '.join(map(str, self.form.part))}"))

    def _search(self, place: int, form: Form | None) -> list[tuple[Tokens, Found]]:
        """One episode and its refinement; the best formulas that were come upon, by the tokens that were scored."""
        met: dict[Tokens, Found] = {}

        def score(tokens: Tokens) -> Found:
            whole = tokens if form is None else form.around(tokens)
            met[whole] = self.scoring.score(whole)
            return met[whole]

        def worth(tokens: Tokens) -> float:
            return reward(len(tokens), score(tokens).error)

        self.tables[place].episode(worth, self.over)
        if self.config.genetic and not self.over():
            ranked = sorted(met, key=lambda key: met[key].fitness)
            start = [key if form is None else key[1 + len(form.part) :] for key in ranked[:KEPT]]
            how = Breeding(population=self.config.population, generations=self.config.generations)
            refine(start, score, self.rules, how, spent=self.over, rng=self.rng)
        return sorted(met.items(), key=lambda one: one[1].error)[:KEPT]


class Searcher(WithoutModel):
    """Answers samples with formulas; every answer is a search of its own, of as many evaluations."""

    what = "formulas"

    def __init__(self, config: Config, evaluations: int):
        self.config, self.evaluations = config, evaluations

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """n searches per prompt, which differ in their seed; temperature and max_tokens are for texts."""
        assert decoding is not None
        return [[self._answer(prompt, answer_seed(seed, prompt.id, j)) for j in range(n)] for prompt in prompts]

    def _answer(self, prompt: Prompt, seed: int) -> Answer:
        found = Search(self.config, prompt.content, self.evaluations, seed).run()
        close = found.error <= self.config.tolerance
        return Answer(value=found.tokens, finish="stop" if close else "length", trace=found)

    def save(self, directory: Path) -> None:
        write_json(directory / "search.json", {**asdict(self.config), "evaluations": self.evaluations})


def run(config: Config, bench: Bench) -> Products:
    """Nothing is trained: the ceiling's evaluations are what one answer may take."""
    return Products(generator=Searcher(config, bench.budget.plan(evaluations_per_step=1)))


def load(config: Config, directory: Path, base: Policy) -> Products:
    assert config is not None and base is not None
    stored = read_json(directory / "generator" / "search.json")
    evaluations = stored.pop("evaluations")
    settings: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in stored.items()}
    return Products(generator=Searcher(Config(**settings), evaluations))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="rsrm",
        family="science",
        kind="method",
        paper="arXiv:2305.14656",
        title="Reinforcement symbolic regression machine",
        claims=(
            Claim(
                "formula", "recovered", "up", against="rsrm:selection=random,genetic=False,forms=False", smallest=0.1
            ),
            Claim("formula", "recovered", "up", against="rsrm:selection=uct,genetic=False,forms=False", smallest=0.1),
            Claim("formula", "recovered", "up", against="rsrm:forms=False", smallest=0.05),
        ),
        baselines=("base", "rsrm:genetic=False", "rsrm:selection=uct"),
        task="formula",
        search={"eps": (0.6, 0.3), "rollouts": (100, 30)},
        tiny={"constants": False, "population": 200, "generations": 15},
        differs=(
            "the error is that of the samples alone; the release adds the test error to its stopping rule",
            "constants are joined where a part holds no variable, and in nested sums and products; other identities "
            "are left to the fit",
            "a product is frozen only where it has a constant beside 1: without constants every x would be one",
            "epochs go on until the evaluations are spent, or ten times as many formulas were met, instead of 100",
        ),
    ),
)
