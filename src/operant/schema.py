"""Records and protocols that cross rooms, each defined once. Importing this file costs no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
Finish = Literal["stop", "length"]
Split = Literal["train", "valid", "test"]
Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is asked. `id` is stable: pairing, splits and seeds hang on it."""

    id: str
    content: Any  # text, a tuple of {"role", "content"} messages, or a value of the domain
    columns: Mapping[str, Any] = field(default_factory=dict)  # what else the row holds (facts, slots, source, ...)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer to one prompt."""

    value: Any  # text, or what the domain's represent.py defines
    tokens: tuple[int, ...] | None = None  # ids sampled or read; EOS included exactly when finish == "stop"
    logps: tuple[float, ...] | None = None  # nats per token, of the distribution really sampled from
    finish: Finish = "stop"
    trace: Any = None  # how it came about: a tree, steps, the candidates it was chosen from


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A judge preferred `chosen` to `rejected` for `prompt`. One pair is one label."""

    prompt: Prompt
    chosen: Answer
    rejected: Answer
    margin: float | None = None  # by how much, where the feedback says so
    baseline: Answer | None = None  # an imitation target other than the chosen answer, where the feedback has one
    ratings: tuple[float, float] | None = None  # of chosen and rejected, on the feedback's own scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One answer and what was said of it; with nothing said it is a demonstration."""

    prompt: Prompt
    answer: Answer
    label: bool | None = None  # good or bad
    rating: float | None = None
    rater: str | None = None  # who rated, where raters differ
    steps: tuple[bool, ...] | None = None  # right or wrong, one for each line (or clause) of the answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text to learn from as it stands: segments in order, what was said of each, and where it comes from."""

    id: str
    prompt: Prompt | None = None  # what the text answers, where it answers something: read, not learnt
    segments: tuple[str, ...]  # joined without anything between them they are the text
    scores: tuple[float, ...] | None = None  # how undesirable each segment is, 0 is fine; one label a segment
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How answers are sampled. Temperature 0 is greedy."""

    max_tokens: int = 24
    temperature: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How good one answer is. `value` is None when the scorer could not tell; `why` then says so."""

    value: float | None
    why: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)  # per attribute, member or step, where there are any


Scale = Literal["probability", "logit", "nats", "raw"]
KLKind = Literal["estimate", "exact", "bound", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KL:
    """KL(generator || base at temperature 1), nats per answer, one value a prompt."""

    values: tuple[float, ...] | None  # None when kind is "none"
    kind: KLKind
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A measured statement of a probe: an effect with its interval, never a bare number."""

    name: str
    effect: float
    low: float
    high: float
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One setting of a generator's knob, reached without retraining."""

    knob: str
    value: float
    generator: Generator


@runtime_checkable
class Generator(Protocol):
    """Anything that answers prompts."""

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """n answers per prompt. The seed of answer j of prompt i is a hash of (seed, prompt id, j)."""
        ...

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[tuple[float, ...]] | None:
        """Log-probability of each token of each answer at temperature 1; None where it cannot be known."""
        ...

    def kl(self, base: Policy, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        """KL to the base's own prompt, from answers that this generator sampled at temperature 1."""
        ...

    def points(self) -> list[Point]:
        """Settings of the knob, weakest first (checkpoints, n, guidance weight); empty when there is none."""
        ...

    def save(self, directory: Path) -> None: ...


@runtime_checkable
class Policy(Generator, Protocol):
    """A generator with a network: weights to train, logits to read, a copy to keep."""

    module: Any  # a torch.nn.Module
    tokenizer: Any

    def snapshot(self) -> Policy:
        """An independent copy of the weights."""
        ...

    def trainable(self, *, seed: int) -> Policy:
        """A copy to train: float32 weights, or fresh adapters where the run trains adapters."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """Anything that says how good answers are."""

    scale: Scale

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]: ...

    def compare(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """P(left is better); None where the scorer could not tell."""
        ...

    def save(self, directory: Path) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a task measures of one answer."""

    name: str
    direction: Direction = "up"
    what: str = ""  # one line for the report


class Feedback(Protocol):
    """What a method may see of a task: neither gold nor test prompts."""

    name: str
    attributes: tuple[str, ...]  # aspects that have pairs of their own; may be empty
    canned: tuple[str, ...]  # acceptable stock answers, for references; may be empty
    bodies: tuple[str, ...]  # model directories that differ in their pretraining seed alone; may be empty

    def prompts(self, split: Split) -> list[Prompt]: ...

    def pairs(self, split: Split, *, attribute: str | None = None) -> list[Pair]: ...

    def judged(self, split: Split) -> list[Judged]:
        """Single answers: demonstrations, labels, ratings, steps. NotApplicable where the task has none."""
        ...

    def documents(self, split: Split, *, scored: bool = False) -> list[Document]:
        """Texts to pretrain on; `scored` asks for the scores of their segments. NotApplicable where there are none."""
        ...

    def ask(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """The task's annotator: P(left is better) as 0, 0.5 or 1. Metered as labels. NotApplicable on user data."""
        ...

    def verify(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        """Right (1) or wrong (0), for training and validation prompts; metered as verifier calls. NotApplicable
        where nothing can be verified.
        """
        ...


class Task(Feedback, Protocol):
    """The whole task. Only `compare` holds it; methods see a Feedback."""

    subject: str  # the folder of its domain, whose represent.py knows the answers
    allowance: Mapping[str, float]  # ceiling by the name of a cost, such as env_steps; empty: FLOPs, from the feedback
    metrics: tuple[Metric, ...]  # the first is the primary metric
    hidden: tuple[str, ...]  # columns of a prompt that hold the answer: nobody sees them at test time
    gold_kind: str  # "exact", or the substitute's name and "not truth"

    def gold(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Score]]:
        """Every metric of every answer."""
        ...

    def base(self, loading: Any) -> Policy:
        """The model to condition; `loading` (models.loading) says in which precision, and how copies are trained."""
        ...

    def identity(self) -> Json:
        """What the task's content hangs on; hashed into the key of a run."""
        ...

    def summary(self) -> dict[str, Json]:
        """What the report says of the data: counts by split, rows dropped and why."""
        ...


class Budget(Protocol):
    """A ceiling on what one run of a method may spend: FLOPs and labels; environment steps; evaluations."""

    def plan(
        self, *, flops_per_step: float = 0.0, labels_per_step: float = 0.0, env_steps_per_step: float = 0.0,
        evaluations_per_step: float = 0.0,
    ) -> int:  # fmt: skip
        """How many such steps what is left still pays for; at least 1, or BudgetExceeded."""
        ...


class Bench(Protocol):
    """What every method receives, and all it receives."""

    base: Policy
    task: Feedback
    budget: Budget
    seed: int
    dir: Path  # the method's own folder: checkpoints and caches
    max_length: int  # tokens of prompt and answer together

    @property
    def proxy(self) -> Scorer:
        """The reward model that is fitted to the feedback given to all; charged to who reads it."""
        ...

    def product(self, slug: str, **settings: Any) -> Products:
        """Another method's product, computed once, charged in full."""
        ...

    def cells(self, grid: Mapping[str, Sequence[Any]]) -> list[Products]:
        """This method's own product at every point of a grid; for studies."""
        ...

    def pool(self, prompts: Sequence[Prompt], n: int) -> list[list[Answer]]:
        """n answers of the base per prompt, one shared sample."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """What a method hands over; at least one of the three."""

    generator: Generator | None = None
    scorer: Scorer | None = None
    findings: tuple[Finding, ...] = ()
    own_reward: Scorer | None = None  # what the method itself maximised, where that is not the proxy

    def __post_init__(self) -> None:
        assert self.generator or self.scorer or self.findings, "a method must produce something"


Run: TypeAlias = Callable[[Any, Bench], Products]
Load: TypeAlias = Callable[[Any, Path, Policy], Products]
