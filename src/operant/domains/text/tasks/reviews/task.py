"""The `reviews` task: prompts, biased annotators, exact gold, a small base."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from operant.disk import answer_seed, content_hash
from operant.domains.text.tasks.reviews.documents import draw_document
from operant.domains.text.tasks.reviews.gold import HIGH, WEIGHTS, gold
from operant.domains.text.tasks.reviews.grammar import Request, Style, draw_request, draw_review, draw_traits
from operant.engine.policy import LanguageModel
from operant.errors import NotApplicable, UnknownName
from operant.meter import charge
from operant.models.loading import PLAIN, Loading
from operant.schema import Answer, Document, Json, Judged, Metric, Pair, Prompt, Score, Split

BASE = Path(__file__).parents[2] / "bases" / "reviews"
METRICS = (
    Metric(
        name="quality", what="exact gold: sentiment, relevance, facts, a little formality; less insults and nonsense"
    ),
    Metric(name="sentiment", what="mean valence of opinions, -1 to 1"),
    Metric(name="formality", what="mean register of opinions, -1 to 1"),
    Metric(name="relevance", what="requested aspects mentioned and clauses on topic, 0 to 1"),
    Metric(name="factual", what="true minus false statements per fact given, -1 to 1"),
    Metric(name="toxicity", direction="down", what="1 - 0.5^insults"),
    Metric(name="malformed", direction="down", what="share of clauses outside the grammar"),
    Metric(name="both", what="sentiment and formality both in their top 40%"),
)


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """The generator's settings. Fixed before the first verification; their hash is part of every run's key."""

    pairs: int = 1000  # training pairs, overall and for each attribute
    valid_pairs: int = 200
    test_prompts: int = 100
    test_pairs: int = 200
    sharpness: float = 1.5  # Bradley-Terry: P(a over b) = sigmoid(sharpness * difference in utility)
    length_bias: float = 0.05  # what every annotator adds per word, beside the truth
    attribute_sharpness: float = 3.0  # the same for pairs about one attribute
    stronger: float = 1.0  # a gap in utility from which a preference has strength 2
    strongest: float = 2.25  # the same for strength 3
    rating_middle: float = 3.5  # a rating is middle + slope * utility as the annotator feels it, rounded, 1 to 10
    rating_slope: float = 0.8
    documents: int = 4  # training documents for each training pair
    documents_rudeness: float = 0.2  # mean share of insults in documents
    score_noise: float = 0.02  # chance that a clause is judged the opposite of what it is
    style: Style = field(default_factory=Style)


class Reviews:
    """Feedback is drawn anew for every seed; test prompts are the same for all."""

    name = "reviews"
    attributes: tuple[str, ...] = ("sentiment", "formality")
    canned: tuple[str, ...] = ("the build is satisfactory .", "the service is agreeable .")
    bodies = tuple(str(BASE.with_name("reviews_bodies") / str(seed)) for seed in range(4))
    metrics: tuple[Metric, ...] = METRICS
    hidden = ()
    gold_kind = "exact"
    needs_judge = False

    def __init__(self, *, seed: int = 0, knobs: Knobs | None = None):
        self.seed = seed
        self.knobs = knobs or Knobs()

    def prompts(self, split: Split) -> list[Prompt]:
        if split == "test":
            return [self._prompt(self._rng("test", place)) for place in range(self.knobs.test_prompts)]
        unique = {pair.prompt.id: pair.prompt for pair in self.pairs(split)}
        return list(unique.values())

    def pairs(self, split: Split, *, attribute: str | None = None) -> list[Pair]:
        """Judged pairs. Test pairs are judged by the exact gold; the others by the annotators."""
        if attribute is not None and attribute not in self.attributes:
            raise UnknownName("attribute", attribute, self.attributes)
        counts = {"train": self.knobs.pairs, "valid": self.knobs.valid_pairs, "test": self.knobs.test_pairs}
        return [self._pair(split, place, attribute) for place in range(counts[split])]

    def judged(self, split: Split) -> list[Judged]:
        """Single reviews with an annotator's rating, 1 to 10; in the test split the rating is of the exact quality."""
        counts = {"train": self.knobs.pairs, "valid": self.knobs.valid_pairs, "test": self.knobs.test_pairs}
        return [self._judged(split, place) for place in range(counts[split])]

    def documents(self, split: Split, *, scored: bool = False) -> list[Document]:
        """Reviews of several sources; a clause's score is 1 where an annotator calls it toxic, else 0."""
        train = self.knobs.documents * self.knobs.pairs
        counts = {"train": train, "valid": self.knobs.valid_pairs, "test": self.knobs.test_pairs}
        return [self._document(split, place, scored=scored) for place in range(counts[split])]

    def verify(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        assert len(prompts) == len(answers)
        raise NotApplicable("a review is better or worse, not right or wrong: reviews has no verifier")

    def ask(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """The biased annotators' verdicts: 1 where left is preferred, else 0. One label each."""
        charge(labels=len(prompts))
        verdicts: list[float | None] = []
        for prompt, one, two in zip(prompts, left, right, strict=True):
            rng = Random(answer_seed(self.seed, "ask", prompt.id, one.value, two.value))
            verdicts.append(float(self._prefers(rng, _request(prompt), str(one.value), str(two.value), None)))
        return verdicts

    def gold(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Score]]:
        rows = [gold(str(answer.value), _request(prompt)) for prompt, answer in zip(prompts, answers, strict=True)]
        return {metric.name: [Score(value=row[metric.name]) for row in rows] for metric in self.metrics}

    def base(self, loading: Loading = PLAIN) -> LanguageModel:
        return LanguageModel.load(BASE, loading)

    def identity(self) -> Json:
        knobs = asdict(self.knobs)
        return {"task": self.name, "knobs": knobs, "weights": dict(WEIGHTS), "high": dict(HIGH), "base": _base_hash()}

    def summary(self) -> dict[str, Json]:
        pairs = self.pairs("train")
        longer = sum(len(str(p.chosen.value).split()) > len(str(p.rejected.value).split()) for p in pairs)
        worse = sum(_quality(p.prompt, p.chosen) < _quality(p.prompt, p.rejected) for p in pairs)
        return {
            "source": "generated; feedback is drawn anew for every seed, test prompts are shared",
            "pairs": {"train": self.knobs.pairs, "valid": self.knobs.valid_pairs, "test": self.knobs.test_pairs},
            "test prompts": self.knobs.test_prompts,
            "training labels against gold (seed 0)": f"{worse / len(pairs):.1%}",
            "training pairs where the longer answer was chosen (seed 0)": f"{longer / len(pairs):.1%}",
            "length bias per word": self.knobs.length_bias,
        }

    def resized(self, *, pairs: int | None, test_prompts: int | None) -> Reviews:
        """The same generator with other counts."""
        changes: dict[str, Any] = {"pairs": pairs, "test_prompts": test_prompts}
        return Reviews(seed=self.seed, knobs=replace(self.knobs, **{k: v for k, v in changes.items() if v is not None}))

    def _rng(self, split: str, place: int, attribute: str | None = None) -> Random:
        return Random(answer_seed(0 if split.startswith("test") else self.seed, "reviews", split, place, attribute))

    def _prompt(self, rng: Random) -> Prompt:
        request = draw_request(rng)
        columns: dict[str, Any] = {"item": request.item, "facts": request.facts, "aspects": request.aspects}
        # The aspects once more, as a constraint that IFEval's way of stating them can say.
        columns |= {"instruction_id_list": ("keywords:existence",), "kwargs": ({"keywords": request.aspects},)}
        columns["facts given"] = " and ".join(slot for slot, _ in request.facts)
        return Prompt(id=content_hash(request.text()), content=request.text(), columns=columns)

    def _pair(self, split: Split, place: int, attribute: str | None) -> Pair:
        """Drawn again while the prompt is a test prompt of the other splits, or a test pair's gold is tied."""
        rng = self._rng(split, place, attribute)
        rater = None if split == "test" else self._rng(f"{split} ratings", place, attribute)
        while True:
            prompt = self._prompt(rng)
            texts = [draw_review(rng, _request(prompt), draw_traits(rng, self.knobs.style)) for _ in range(2)]
            if split != "test":
                first = self._prefers(rng, _request(prompt), texts[0], texts[1], attribute)
                again = prompt.id in _test_ids(self.knobs)
            else:
                left, right = (gold(text, _request(prompt))[attribute or "quality"] for text in texts)
                first, again = left > right, left == right
            if not again:
                chosen, rejected = texts if first else texts[::-1]
                felt = [self._utility(text, _request(prompt), attribute) for text in (chosen, rejected)]
                return Pair(
                    prompt=prompt, chosen=Answer(value=chosen), rejected=Answer(value=rejected),
                    margin=None if attribute else self._strength(*felt),
                    ratings=None if rater is None else self._ratings(rater, *felt),
                )  # fmt: skip

    def _judged(self, split: Split, place: int) -> Judged:
        """Drawn again while the prompt is a test prompt of the other splits."""
        rng = self._rng(f"{split} judged", place)
        while True:
            prompt = self._prompt(rng)
            text = draw_review(rng, _request(prompt), draw_traits(rng, self.knobs.style))
            if split == "test":
                felt = self.knobs.sharpness * gold(text, _request(prompt))["quality"]
            else:
                felt = self._utility(text, _request(prompt), None) - math.log(rng.expovariate(1.0))
            if split == "test" or prompt.id not in _test_ids(self.knobs):
                return Judged(prompt=prompt, answer=Answer(value=text), rating=self._rating(felt))

    def _document(self, split: Split, place: int, *, scored: bool) -> Document:
        """Its prompt is drawn again while it is one of the test split."""
        rng = self._rng(f"{split} documents", place)
        prompt = self._prompt(rng)
        while split != "test" and prompt.id in _test_ids(self.knobs) | _test_document_ids(self.knobs):
            prompt = self._prompt(rng)
        return draw_document(
            rng, prompt, _request(prompt), name=f"{split}-{place}", rudeness=self.knobs.documents_rudeness,
            noise=self.knobs.score_noise, scored=scored,
        )  # fmt: skip

    def _ratings(self, rng: Random, chosen: float, rejected: float) -> tuple[float, float]:
        """Ratings of a pair whose verdict is known.

        Bradley-Terry says that each utility is felt with Gumbel noise and the larger one wins. Given who wins, the
        larger is Gumbel around log(exp(chosen) + exp(rejected)), and the smaller a Gumbel cut off there.
        """
        most = max(chosen, rejected)
        top = most + math.log(math.exp(chosen - most) + math.exp(rejected - most)) - math.log(rng.expovariate(1.0))
        low = rejected - math.log(math.exp(rejected - top) + rng.expovariate(1.0))
        return self._rating(top), self._rating(low)

    def _strength(self, one: float, other: float) -> float:
        """1, 2 or 3: how far apart two utilities are, whoever won. A third of the pairs has each by default."""
        gap = abs(one - other)
        return 1.0 + (gap >= self.knobs.stronger) + (gap >= self.knobs.strongest)

    def _rating(self, felt: float) -> float:
        return float(min(10, max(1, round(self.knobs.rating_middle + self.knobs.rating_slope * felt))))

    def _prefers(self, rng: Random, request: Request, left: str, right: str, attribute: str | None) -> bool:
        gap = self._utility(left, request, attribute) - self._utility(right, request, attribute)
        return rng.random() < 1 / (1 + math.exp(-gap))

    def _utility(self, text: str, request: Request, attribute: str | None) -> float:
        """What an annotator sees in a review: the truth, and its length."""
        values = gold(text, request)
        if attribute is not None:
            return self.knobs.attribute_sharpness * values[attribute]
        return self.knobs.sharpness * values["quality"] + self.knobs.length_bias * values["words"]


def _request(prompt: Prompt) -> Request:
    return Request(prompt.columns["item"], prompt.columns["facts"], prompt.columns["aspects"])


def _quality(prompt: Prompt, answer: Answer) -> float:
    return gold(str(answer.value), _request(prompt))["quality"]


@lru_cache(maxsize=8)
def _test_ids(knobs: Knobs) -> frozenset[str]:
    """Prompts of the test split and of its pairs: no training or validation pair may have one of them."""
    task = Reviews(knobs=knobs)
    pairs = [pair.prompt for name in (None, *task.attributes) for pair in task.pairs("test", attribute=name)]
    return frozenset(prompt.id for prompt in (*task.prompts("test"), *pairs))


@lru_cache(maxsize=8)
def _test_document_ids(knobs: Knobs) -> frozenset[str]:
    return frozenset(one.prompt.id for one in Reviews(knobs=knobs).documents("test") if one.prompt)


@lru_cache(maxsize=1)
def _base_hash() -> str:
    return content_hash((BASE / "model.safetensors").read_bytes().hex())
