"""A scorer from what somebody wrote on the command line, and what it says of the records of a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from operant.compare.score_summary import Compared, answer_lines, groups, judged_pairs, pair_lines, share, trivial
from operant.data.records import Record, plain
from operant.domains.text.records import prompt_of
from operant.errors import OperantError
from operant.models.endpoint.asking import asker
from operant.models.endpoint.client import Client
from operant.rewards.constraints import Constraints
from operant.rewards.endpoint_judge import Agreement, EndpointJudge
from operant.rewards.ensemble import Ensemble
from operant.rewards.model import RewardModel
from operant.rewards.python import FunctionScorer
from operant.rewards.remote import RemoteReward
from operant.rewards.user_model import SETTINGS, UserRewardModel
from operant.schema import Answer, Json, Prompt, Score, Scorer

FORMS = {
    "verifier": "right or wrong answers to mathematical questions",
    "match": "short answers against the accepted ones of the prompt, by the metric of its column metric or task",
    "constraints": "keywords and lengths that a prompt states in the columns of IFEval, the share that is met",
    "DIR": "a directory of a reward model or an ensemble, or what `operant train` wrote",
    "module:name": "a reward function of your own, in TRL's signature",
    "http(s)://host/get_reward": "a reward model behind a server",
    "judge:MODEL@URL": "a language model as a judge; URL up to and with /v1",
}


def scorer_from(spec: str, *, max_length: int, cache: Path | None = None) -> Scorer:
    """The scorer that `spec` names, in one of FORMS.

    Args:
        max_length: tokens of prompt and answer together, for a reward model that does not say itself.
        cache: directory where a judge's replies are kept, so that the same question is paid for once.
    """
    if spec == "verifier":
        from operant.domains.text.maths.verifier import AnswerVerifier

        return AnswerVerifier()
    if spec == "match":
        from operant.domains.text.induction import InductionMatch

        return InductionMatch()
    if spec == "constraints":
        return Constraints(strict=True)
    judge = re.fullmatch(r"judge:(.+)@(https?://.+)", spec)
    if judge:
        return EndpointJudge(asker(Client(judge[2], judge[1], cache=cache)))
    if re.match(r"https?://", spec):
        return RemoteReward(spec)
    if spec and Path(spec).is_dir():
        inside = Path(spec) / "scorer"
        return _from_directory(inside if inside.is_dir() else Path(spec), max_length=max_length)
    if re.fullmatch(r"(?!judge:)[^\W\d][\w.]*:[^\W\d]\w*", spec):
        return FunctionScorer(spec)
    forms = "".join(f"\n  {form:27} {what}" for form, what in FORMS.items())
    raise OperantError(f"{spec!r} names no scorer and no directory; expected one of{forms}")


def _from_directory(directory: Path, *, max_length: int) -> Scorer:
    """A reward model, an ensemble of them, or one that knows its users, as they were saved."""
    if (directory / "ensemble.json").is_file():
        return Ensemble.load(directory)
    if (directory / SETTINGS).is_file():
        return UserRewardModel.load(directory)
    return RewardModel.load(directory, max_length=max_length)


@dataclass(frozen=True, kw_only=True)
class Scored:
    lines: tuple[Json, ...]  # one a record
    summary: str


def score_records(scorer: Scorer, records: Sequence[Record], *, source: str, by: str | None = None) -> Scored:
    """Every record's scores; for pairs the accuracy beside the trivial judges, for single answers their mean.

    `by` names a column of the file: the same figures for each of its values.
    """
    paired = records[0].chosen is not None
    sides = ("chosen", "rejected") if paired else ("completion",)
    if any(getattr(record, side) is None for record in records for side in sides):
        raise OperantError(f"{source} holds no answers to score; expected pairs, or prompts with completions")
    if by is not None:
        groups(records, by)  # a wrong name is found before anything is paid for
    prompts = [replace(prompt_of(record), id=str(record.line)) for record in records]
    answers = {side: [Answer(value=plain(getattr(record, side))) for record in records] for side in sides}
    if paired and isinstance(scorer, EndpointJudge):
        return _judged(scorer, records, prompts, answers, by=by)
    scores = {side: scorer.score(prompts, answers[side]) for side in sides}
    lines: list[Json] = [
        {"line": record.line} | _fields({side: scores[side][place] for side in sides})
        for place, record in enumerate(records)
    ]
    if paired:
        judged = judged_pairs(scores["chosen"], scores["rejected"], records, scorer.scale)
        return Scored(lines=tuple(lines), summary="\n".join(pair_lines(judged, records, by)))
    return Scored(lines=tuple(lines), summary="\n".join(answer_lines(scores["completion"], records, scorer.scale, by)))


def _fields(scores: dict[str, Score]) -> dict[str, Json]:
    """The values under their sides, how far the members of an ensemble differ, and why a value is unknown."""
    spread: dict[str, Json] = {
        f"{side}_uncertainty": score.parts["uncertainty"]
        for side, score in scores.items()
        if "uncertainty" in score.parts
    }
    whys: dict[str, Json] = {f"{side}_why": score.why for side, score in scores.items() if score.value is None}
    return {side: score.value for side, score in scores.items()} | spread | whys


def _judged(
    judge: EndpointJudge, records: Sequence[Record], prompts: Sequence[Prompt], answers: dict[str, list[Answer]], *,
    by: str | None,
) -> Scored:  # fmt: skip
    """A judge compares rather than grades: `chosen_wins` is 1, 0, 0.5 where its verdict turned, or unknown."""
    verdicts = judge.judge(prompts, answers["chosen"], answers["rejected"])
    lines: tuple[Json, ...] = tuple(
        {"line": record.line, "chosen_wins": one.value} | ({"why": one.why} if one.value is None else {})
        for record, one in zip(records, verdicts, strict=True)
    )
    longer, second = trivial(records)
    pairs = [Compared(*three) for three in zip([one.value for one in verdicts], longer, second, strict=True)]
    told, *more = pair_lines(pairs, records, by)
    return Scored(lines=lines, summary="\n".join([f"{told}; judge: {_agreement(judge.agreement())}", *more]))


def _agreement(found: Agreement) -> str:
    shares = {"consistent": found.consistent, "first position": found.first_position, "unparsable": found.unparsable}
    return ", ".join(f"{name} {share([] if value is None else [value])}" for name, value in shares.items())
