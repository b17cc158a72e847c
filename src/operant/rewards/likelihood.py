"""Likelihood as a reward: how much likelier behind a reply a kind next message of its user is than an unkind one.

    l(f | c, y) = (1 / T) sum over t of log p(f_t | c, y, f_<t)
    reward(c, y) = mean over F+ of l(f | c, y) - mean over F- of l(f | c, y)

A mean over tokens, not a sum: otherwise long messages decide. Source: Zhang et al. 2024, arXiv:2409.13948, sec. 3.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from operant.disk import write_json
from operant.engine import output
from operant.engine.body import passes
from operant.engine.logps import all_logps, read
from operant.errors import NotApplicable
from operant.models.text import Encoded
from operant.rewards.follow_ups import OVERALL, Bank, facet_of
from operant.rewards.model import compare_by_score
from operant.rewards.turns import Placed, Row, Turns, placed, rendered
from operant.schema import Answer, Prompt, Scale, Score

FILE = "follow_ups.json"
TOGETHER = 64  # replies whose messages are read in one call


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """How the reward is taken."""

    facet: str = OVERALL  # mean over all facets of the bank, or one of them
    calibrated: bool = False  # less the same of an empty reply: the scorer's own liking for polite messages
    raw: bool = False  # logits at one position, neither softmaxed nor step by step: only to repeat released numbers


@dataclass
class FollowUpLikelihood:
    """A Scorer. All messages behind one reply share its prefix, which is read once.

    Args: policy: a LanguageModel, or an Endpoint that gives log-probabilities of given texts.
    """

    policy: Any
    bank: Bank
    turns: Turns = field(default_factory=Turns)
    how: Likelihood = field(default_factory=Likelihood)
    cut: int = 0  # replies whose text lost its beginning
    requests_cut: int = 0  # those that lost part of the request itself
    scale: Scale = "nats"

    def __post_init__(self) -> None:
        self.bank = dict(sorted(facet_of(self.bank, self.how.facet).items()))  # in the order in which files keep it

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        """Nats per token; `parts` holds each facet's."""
        found = self._facets([(prompt, str(answer.value)) for prompt, answer in zip(prompts, answers, strict=True)])
        if self.how.calibrated:
            blank = self._facets([(prompt, "") for prompt in prompts])
            found = [{name: own[name] - base[name] for name in own} for own, base in zip(found, blank, strict=True)]
        return [Score(value=sum(own.values()) / len(own), parts=own) for own in found]

    def compare(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """sigmoid(difference): says which is better; how surely, only a fit could say."""
        return compare_by_score(self, prompts, left, right)

    @property
    def messages(self) -> tuple[str, ...]:
        """Every message of the bank, once."""
        return tuple(dict.fromkeys(text for both in self.bank.values() for side in both for text in side))

    def _facets(self, rows: Sequence[tuple[Prompt, str]]) -> list[dict[str, float]]:
        found = []
        for start in range(0, len(rows), TOGETHER):
            part = rows[start : start + TOGETHER]
            values = self._values([(*row, message) for row in part for message in self.messages])
            size = len(self.messages)
            for place in range(len(part)):
                told = dict(zip(self.messages, values[place * size : (place + 1) * size], strict=True))
                found.append({name: gap(told, *both) for name, both in self.bank.items()})
        return found

    def _values(self, rows: Sequence[Row]) -> list[float]:
        """What each message is worth behind its reply: mean log-probability of its tokens, nats."""
        tokenizer = _tokenizer(self.policy)
        if tokenizer is None:
            return self._asked(rows)
        texts = placed(tokenizer, rows, self.turns)
        self._count(texts)
        if self.how.raw:
            return first_position_logits(self.policy, texts, rows)
        logps = all_logps(self.policy.module, [one.row for one in texts], pad=tokenizer.pad_token_id)
        return [sum(own) / len(own) for own in logps]

    def _asked(self, rows: Sequence[Row]) -> list[float]:
        """Of a server, which has to give the log-probabilities of a given text."""
        if self.how.raw:
            raise NotApplicable("a server does not show raw logits; leave out mode=first-position-logits")
        texts = [rendered(None, *row, self.turns) for row in rows]
        asked = [replace(row[0], content=one.text[: one.start]) for row, one in zip(rows, texts, strict=True)]
        said = [Answer(value=one.text[one.start :], finish="length") for one in texts]
        return [sum(own) / len(own) for own in self.policy.require_logps(asked, said)]

    def _count(self, texts: Sequence[Placed]) -> None:
        each = texts[:: len(self.messages)]
        self.cut += sum(one.cut > 0 for one in each)
        requests = sum(one.request_cut for one in each)
        if requests and not self.requests_cut:
            warnings.warn(
                f"{requests} of {len(each)} replies are scored without the beginning of the request they answer: "
                f"max-length is {self.turns.max_length}",
                stacklevel=4,
            )
        self.requests_cut += requests

    def save(self, directory: Path) -> None:
        """The bank, and the model beside it."""
        write_json(directory / FILE, {name: both._asdict() for name, both in self.bank.items()})
        (directory / "policy").mkdir(parents=True, exist_ok=True)
        self.policy.save(directory / "policy")


def gap(values: dict[str, float], positive: Sequence[str], negative: Sequence[str]) -> float:
    """Mean over one list less mean over the other, so that their lengths do not matter."""
    ours, theirs = (sum(values[text] for text in side) / len(side) for side in (positive, negative))
    return ours - theirs


@torch.no_grad()
def first_position_logits(
    policy: Any, texts: Sequence[Placed], rows: Sequence[Row]
) -> list[float]:  # fmt: skip
    """The released script's value, for comparison alone: mean of the message's raw logits, all at one position.

    That position is T tokens before the end of the text, T the tokens of the message taken alone, so that what a
    template closes with is counted among them.
    """
    tokenizer, module, asked, ids = policy.tokenizer, policy.module, [], []
    for one, (_, _, message) in zip(texts, rows, strict=True):
        own = tokenizer(message, add_special_tokens=False)["input_ids"]
        whole = (*one.row.prompt, *one.row.answer, *one.behind)
        kept = len(whole) - len(own) + 1
        asked.append(Encoded(whole[:kept], (whole[kept] if kept < len(whole) else 0,)))
        ids.append(own)
    found = [0.0] * len(asked)
    for group in passes(module, asked):
        hidden = read(module, [asked[place] for place in group], pad=tokenizer.pad_token_id)
        for place, logits in zip(group, output.logits(module, hidden), strict=True):
            found[place] = float(logits[ids[place]].float().mean())
    return found


def _tokenizer(policy: Any) -> Any:
    try:
        return policy.tokenizer
    except (AttributeError, NotApplicable):
        return None
