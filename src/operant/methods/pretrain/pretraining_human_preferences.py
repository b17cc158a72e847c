"""Pretraining with human preferences (Korbak et al. 2023): scores of segments are used while the text is learnt.

Conditional training puts a tag before every segment, aligned or misaligned by its score, and answers behind the
aligned one. Beside it stand filtering of documents, unlikelihood of bad segments, regression weighted by reward (RWR)
or by advantage (AWR), and plain likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, median
from typing import Any, Literal

import torch
from torch import Tensor

from operant.card import Card, Claim, Method
from operant.conditioning.conditioned import Conditioned, load_conditioned
from operant.conditioning.text import ConditionedRow, Tags, conditioned_rows, drawn_tags, learnt_values
from operant.engine.answer_states import answer_states
from operant.engine.logps import AnswerLogps
from operant.engine.policy import LanguageModel, loading_of
from operant.errors import OperantError, require
from operant.models.vocabulary import grown
from operant.objectives.likelihood import answer_nll_batch_mean
from operant.objectives.weighted import reward_weights, unlikelihood_batch_mean, weighted_nll_batch_mean
from operant.ops import masked_sum
from operant.schema import Bench, Document, Products
from operant.training.budgeted import PolicyFit
from operant.training.pairs import pass_flops
from operant.training.texts import Phase, fit_phases, parted, scratch
from operant.training.update import Beside

ALIGNED, MISALIGNED = "<|aligned|>", "<|misaligned|>"
WEIGHTED = ("rwr", "awr")
Scored = tuple[ConditionedRow, tuple[float, ...]]  # a row; how good each of its tokens is, 0 to 1, or its reward


@dataclass(frozen=True, kw_only=True)
class Config(PolicyFit):
    objective: Literal["conditional", "mle", "filtering", "unlikelihood", "rwr", "awr"] = "conditional"
    threshold: float | None = None  # scores above are bad; None: 0.00056, filtering the median, unlikelihood a mix
    drop: float = 0.1  # conditional: share of segments without a tag (PEP8; 0.01 for toxicity and PII)
    tag: Literal["aligned", "misaligned", "none"] = "aligned"  # conditional: what answers are written behind
    alpha: float = 1.0  # unlikelihood: weight of bad segments
    beta: float = 10.0  # rwr, awr: a token weighs exp((reward - expected) / beta), at most 1000
    imitation: float = 0.5  # awr: weight of the likelihood; the rest is the value head's
    mle_first: float = 0.0  # share of the steps with plain likelihood, before the objective; 0: feedback from the start
    start: Literal["base", "scratch"] = "base"  # scratch: the same architecture with random weights
    learning_rate: float = 5e-4
    batch_size: int = 64

    def __post_init__(self) -> None:
        require(0 <= self.drop <= 1, "drop", self.drop, "between 0 and 1, a share of the segments")
        require(min(self.alpha, self.beta) > 0, "alpha or beta", (self.alpha, self.beta), "above 0")
        require(0 < self.imitation < 1, "imitation", self.imitation, "between 0 and 1")
        require(0 <= self.mle_first < 1, "mle_first", self.mle_first, "at least 0 and below 1, a share of the steps")
        for name, unset, used in (
            ("threshold", None, ("conditional", "filtering", "unlikelihood")), ("drop", 0.1, ("conditional",)),
            ("tag", "aligned", ("conditional",)), ("alpha", 1.0, ("unlikelihood",)),
            ("mle_first", 0.0, ("conditional", "filtering", "unlikelihood", "rwr")),
            ("beta", 10.0, WEIGHTED), ("imitation", 0.5, ("awr",)),
        ):  # fmt: skip
            got = getattr(self, name)
            require(got == unset or self.objective in used, name, got, f"left out with objective={self.objective}")


def threshold_of(config: Config, documents: Sequence[Document]) -> float | None:
    """Scores above it are bad; refused where that parts nothing. None for the mix of unlikelihood."""
    segments = [score for one in documents for score in one.scores or ()]
    if config.objective == "filtering":
        scores = [fmean(one.scores or (0.0,)) for one in documents]
        threshold: float | None = median(scores) if config.threshold is None else config.threshold
    else:
        scores, threshold = segments, config.threshold
        if config.objective == "conditional" and threshold is None:
            threshold = 0.00056  # toxicity; arXiv:2302.08582, app. B
    if threshold is None:
        wrong = next((score for score in segments if not 0 <= score <= 1), None)
        require(wrong is None, "score", wrong, "between 0 and 1 where no threshold= is set: it is then a share")
        return None
    good = sum(score <= threshold for score in scores)
    if good == 0 or (good == len(scores) and threshold != float("inf")):
        side = "above" if good == 0 else "at or below"
        what = "documents' mean scores" if config.objective == "filtering" else "scores"
        raise OperantError(
            f"all {len(scores)} {what} are {side} the threshold {threshold:g}, from {min(scores):g} to "
            f"{max(scores):g}, so there is nothing to tell apart; set threshold= between them"
        )
    return threshold


def good_segments(document: Document, threshold: float | None) -> tuple[float, ...]:
    """1 or 0 by the threshold; without one 1 - score."""
    return tuple(1 - score if threshold is None else float(score <= threshold) for score in document.scores or ())


def plain_rows(
    tokenizer: Any, documents: Sequence[Document], *, max_length: int, value: float = 1.0
) -> list[Scored]:  # fmt: skip
    """Texts of which everything is to be learnt, and alike."""
    rows = conditioned_rows(tokenizer, documents, max_length=max_length)
    return [(row, (value,) * len(row.segments)) for row in rows if row is not None]


def rows_of(config: Config, tokenizer: Any, documents: Sequence[Document], bench: Bench) -> list[Scored]:
    """What the objective makes of the documents."""
    if config.objective == "mle":
        return plain_rows(tokenizer, documents, max_length=bench.max_length)
    if config.objective in WEIGHTED:
        return per_segment(tokenizer, documents, [rewards_of(one) for one in documents], max_length=bench.max_length)
    threshold = threshold_of(config, documents)
    if config.objective == "filtering":
        assert threshold is not None
        kept = [one for one in documents if fmean(one.scores or (0.0,)) <= threshold]
        return plain_rows(tokenizer, kept, max_length=bench.max_length)
    if config.objective == "unlikelihood":
        good = [(*good_segments(one, threshold), 1.0) for one in documents]
        return per_segment(tokenizer, documents, good, max_length=bench.max_length)
    tags = [tags_of(tokenizer, one, threshold, drop=config.drop, seed=bench.seed) for one in documents]
    rows = conditioned_rows(tokenizer, documents, max_length=bench.max_length, tags=tags)
    return [(row, (1.0,) * len(row.segments)) for row in rows if row is not None]


def rewards_of(document: Document) -> tuple[float, ...]:
    """How desirable each segment is; the end is fine."""
    return (*(-score for score in document.scores or ()), 0.0)


def per_segment(
    tokenizer: Any, documents: Sequence[Document], values: Sequence[Sequence[float]], *, max_length: int
) -> list[Scored]:
    """Rows whose tokens have the value of their segment; the last value is of EOS, segment -1."""
    rows = zip(conditioned_rows(tokenizer, documents, max_length=max_length), values, strict=True)
    return [(row, tuple(of[place] for place in row.segments)) for row, of in rows if row is not None]


def tags_of(tokenizer: Any, document: Document, threshold: float | None, *, drop: float, seed: int) -> Tags:
    """Aligned or misaligned by each segment's score; the end is aligned."""
    good, bad = (tokenizer.convert_tokens_to_ids(name) for name in (ALIGNED, MISALIGNED))
    tags = [good if one else bad for one in good_segments(document, threshold)]
    return drawn_tags(document, tags, end=good, drop=drop, seed=seed)


def run(config: Config, bench: Bench) -> Products:
    documents = bench.task.documents("train", scored=config.objective != "mle")
    model = starting(config, bench)
    first, rest = parted(documents, config.mle_first, seed=bench.seed)
    alike = 0.0 if config.objective in WEIGHTED else 1.0  # what leaves a token's likelihood as it is
    phases = [
        Phase(plain_rows(model.tokenizer, first, max_length=bench.max_length, value=alike), config.mle_first),
        Phase(rows_of(config, model.tokenizer, rest, bench), 1 - config.mle_first),
    ]
    head = ValueHead(model.module) if config.objective == "awr" else None
    loss = partial(likelihood, config, head, model.tokenizer.pad_token_id)

    def cost(module: Any, part: Sequence[Scored]) -> float:
        return pass_flops(module, [row.encoded for row, _ in part])

    beside = None if head is None else Beside(module=head)
    fitted = fit_phases(bench, phases, loss, config, cost, start=model, beside=beside)
    return Products(generator=answering(config, fitted))


def likelihood(
    config: Config, head: ValueHead | None, pad: int, module: Any, part: Sequence[Scored], whole: Sequence[Scored]
) -> Tensor:
    """[texts] mean over the learnt tokens of the batch, tags included."""
    size: Any = {"batch_tokens": sum(row.tokens for row, _ in whole), "batch_texts": len(whole)}
    if head is not None:
        return advantage_weighted(config, head, module, part, pad=pad, size=size)

    def of(places: Sequence[int], found: AnswerLogps) -> Tensor:
        told = by_token([part[place][1] for place in places], found.logps)
        if config.objective == "unlikelihood":
            return unlikelihood_batch_mean(*found, told, alpha=config.alpha, **size)
        if config.objective == "rwr":
            return weighted_nll_batch_mean(*found, reward_weights(told, 0.0, beta=config.beta), **size)
        return answer_nll_batch_mean(*found, batch_tokens=size["batch_tokens"], batch_examples=len(whole))

    return learnt_values(module, [row for row, _ in part], of, pad=pad)


class ValueHead(torch.nn.Module):
    """The reward that is to be expected of the next token, -1 to 0: -sigmoid of a linear layer that starts at 0."""

    def __init__(self, module: Any):
        super().__init__()
        self.layer = torch.nn.Linear(module.config.get_text_config().hidden_size, 1, bias=False)
        torch.nn.init.zeros_(self.layer.weight)

    def forward(self, hidden: Tensor) -> Tensor:
        return -self.layer(hidden).squeeze(-1).float().sigmoid()


def advantage_weighted(
    config: Config, head: ValueHead, module: Any, part: Sequence[Scored], *, pad: int, size: Any
) -> Tensor:
    """[texts] weighted likelihood, and how far the value head was off, squared; its gradient reaches the body too.

    imitation * mean of exp((R - V) / beta) * -log p + (1 - imitation) * mean of (R - V)^2, V read before the token
    """
    found = answer_states(module, [row.encoded for row, _ in part], pad=pad)
    learnt = by_token([row.learnt for row, _ in part], found.logps) > 0
    rewards, expected = by_token([told for _, told in part], found.logps), head(found.hidden)
    weights = reward_weights(rewards, expected, beta=config.beta)
    imitated = weighted_nll_batch_mean(found.logps, learnt, weights, **size)
    off = masked_sum((rewards - expected) ** 2, learnt) * size["batch_texts"] / size["batch_tokens"]
    return config.imitation * imitated + (1 - config.imitation) * off


def by_token(rows: Sequence[Sequence[float]], like: Tensor) -> Tensor:
    """[texts, tokens], 0 behind each text."""
    found = torch.zeros_like(like)
    for at, own in enumerate(rows):
        found[at, : len(own)] = like.new_tensor(own)
    return found


def starting(config: Config, bench: Bench) -> LanguageModel:
    """The base, or its architecture with random weights; with two tokens more for the tags."""
    base: Any = scratch(bench) if config.start == "scratch" else bench.base
    if config.objective != "conditional":
        return base
    loading = loading_of(base)
    if loading.lora is not None:
        raise OperantError(
            "tags are new tokens, and LoRA trains no embeddings: they would stay the mean of all others; leave --lora "
            "out, or take objective=filtering or objective=unlikelihood"
        )
    return LanguageModel(*grown(base.module, base.tokenizer, (ALIGNED, MISALIGNED)), loading=loading)


def answering(config: Config, model: LanguageModel) -> Any:
    """Conditional models answer behind a tag and write none; their text is scored behind it, tags left out."""
    if config.objective != "conditional":
        return model
    good, bad = (model.tokenizer.convert_tokens_to_ids(name) for name in (ALIGNED, MISALIGNED))
    after = {"aligned": (good,), "misaligned": (bad,), "none": ()}[config.tag]
    return Conditioned(model, after=after, banned=frozenset({good, bad}))


METHOD = Method(
    Config,
    run,
    load_conditioned,
    Card(
        slug="pretraining-human-preferences",
        family="pretrain",
        kind="method",
        paper="arXiv:2302.08582",
        title="Pretraining language models with human preferences",
        claims=(  # toxicity under plain likelihood is 0.198: 0.35 of it behind the tag, twice it behind the other
            Claim("reviews", "toxicity", "down", against="pretraining-human-preferences:objective=mle", smallest=0.13),
            Claim("reviews", "toxicity", "down", against="pretraining-human-preferences:tag=misaligned", smallest=0.2,
                  row="pretraining-human-preferences:objective=mle"),
            Claim("reviews", "toxicity", "down", against="pretraining-human-preferences:objective=mle", smallest=0.02,
                  row="pretraining-human-preferences:objective=filtering"),
        ),
        baselines=(
            "base",
            "pretraining-human-preferences:objective=mle",
            "pretraining-human-preferences:objective=filtering",
            "pretraining-human-preferences:objective=unlikelihood",
            "pretraining-human-preferences:objective=rwr",
            "pretraining-human-preferences:objective=awr",
            "pretraining-human-preferences:mle_first=0.9",
        ),
        search={"learning_rate": ("x1", "x0.3", "x3", "x0.1")},
        tiny={"learning_rate": 1e-3, "batch_size": 8},
        differs=(
            "one model of about 1M parameters, further trained from its base unless start=scratch",
            "advantage-weighted regression does not begin with plain likelihood",
            "one document a row, and a tag also before its end, so that banning tags makes no text end sooner",
            "a prompt that a document answers is read and not learnt",
            "no weight decay (0.1 in the paper), and a warm-up of a tenth of the steps (a hundredth)",
            "unprompted samples, the search for adversarial prompts and the KL from GPT-3 are not built",
        ),
    ),
)  # fmt: skip
