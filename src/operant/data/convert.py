"""A row and the columns it was found to have, as a record. Flaw where it cannot be used."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from operant.data.codes import Flaw
from operant.data.layouts import Fit, lookup
from operant.data.lists import prompt_target, ratings, read_name, read_targets, scored_text, stepwise
from operant.data.prompts import split_pair
from operant.data.records import Column, Content, Kind, Record, SplitName
from operant.data.strength import read_strength
from operant.data.turns import STYLES, Values
from operant.data.values import read_content, read_label, read_number, require_answer, require_prompt, type_name
from operant.data.verdicts import Outcome, read_verdict

SPLITS: dict[str, SplitName] = {
    "train": "train", "training": "train",
    "valid": "valid", "validation": "valid", "val": "valid", "dev": "valid", "induce": "train", "execute": "test",
    "test": "test", "eval": "test",
}  # fmt: skip


def make_record(row: Mapping[str, Any], found: Fit, line: int) -> Record | Outcome:
    """The record, or "tie" or "no_verdict" for a row that is dropped and counted."""
    values = {ours: lookup(row, path) for ours, path in found.paths.items()}
    values = STYLES[found.layout.style](values, found.layout.kind)
    if "verdict" in values:
        # AlpacaEval's own column: 0 is a tie there, and means different things elsewhere.
        made = _compared(values, line, zero_is_tie=found.paths["verdict"] == "preference")
    elif "strength" in values:
        made = _graded(values, line)
    else:
        made = MAKERS[found.layout.kind](values, line)
    if not isinstance(made, Record):
        return made
    return replace(made, split=split_name(values.get("split")), columns={**made.columns, **_others(row, found)})


def split_name(value: object) -> SplitName | None:
    """train, valid or test; common other words for them count; None for anything else."""
    return SPLITS.get(value.strip().lower()) if isinstance(value, str) else None


def _others(row: Mapping[str, Any], found: Fit) -> dict[str, Column]:
    """Columns that the layout does not use, and those that --columns names beside it under our name for them.

    Objects are left out: a column within one has a name with dots, which --columns takes.
    """
    used = set(found.paths.values())
    more = {name: value for name, value in row.items() if name not in used}
    beside = found.paths.keys() - found.layout.needs.keys() - found.layout.optional.keys()
    more |= {ours: lookup(row, found.paths[ours]) for ours in beside}
    kept = bool | int | float | str | list
    return {name: value for name, value in more.items() if value is None or isinstance(value, kept)}


def _compared(values: Values, line: int, *, zero_is_tie: bool) -> Record | Outcome:
    """Two answers and a verdict."""
    first, second = (read_content(values[name], name) for name in ("answer_1", "answer_2"))
    verdict = read_verdict(values["verdict"], column="verdict", zero_is_tie=zero_is_tie)
    if isinstance(verdict, str):
        return verdict
    if verdict > 1.5:
        won = _pair(values, line, chosen=(second, "answer_2"), rejected=(first, "answer_1"))
        return replace(won, chosen_was=2, verdict=verdict)
    won = _pair(values, line, chosen=(first, "answer_1"), rejected=(second, "answer_2"))
    return replace(won, chosen_was=1, verdict=verdict)


def _graded(values: Values, line: int) -> Record | Outcome:
    """Two answers and a strength, which becomes the margin; the scores of both answers, where there are any."""
    first, second = (read_content(values[name], name) for name in ("answer_1", "answer_2"))
    strength = read_strength(values["strength"], "strength")
    if not strength:
        return "no_verdict" if strength is None else "tie"
    sides = (first, "answer_1"), (second, "answer_2")
    won, lost = (1, 0) if strength > 0 else (0, 1)
    told = values | {"margin": abs(strength)}
    if "score_1" in values and "score_2" in values:
        scores = values["score_1"], values["score_2"]
        told |= {"score_chosen": scores[won], "score_rejected": scores[lost]}
    return replace(_pair(told, line, chosen=sides[won], rejected=sides[lost]), chosen_was=2 if won else 1)


def _preference(values: Values, line: int) -> Record:
    chosen, rejected = (read_content(values[name], name) for name in ("chosen", "rejected"))
    return _pair(values, line, chosen=(chosen, "chosen"), rejected=(rejected, "rejected"))


def _pair(values: Values, line: int, *, chosen: tuple[Content, str], rejected: tuple[Content, str]) -> Record:
    """A pair whose winner is known; each side with the name of its column."""
    given = read_content(values["prompt"], "prompt") if "prompt" in values else None
    baseline = values.get("baseline")
    if chosen[0] == rejected[0]:
        raise Flaw("identical_pair", "both answers are the same", chosen[1])
    prompt, won, lost = _with_prompt(given, chosen[0], rejected[0])
    require_prompt(prompt)
    require_answer(won, chosen[1])
    require_answer(lost, rejected[1])
    return Record(
        kind="preference",
        line=line,
        prompt=prompt,
        chosen=won,
        rejected=lost,
        margin=read_number(values.get("margin"), "margin"),
        ratings=_ratings(values),
        baseline=None if baseline is None or baseline == "" else read_content(baseline, "baseline"),
    )


def _ratings(values: Values) -> tuple[float, float] | None:
    won, lost = (read_number(values.get(name), name) for name in ("score_chosen", "score_rejected"))
    return None if won is None or lost is None else (won, lost)


def _with_prompt(prompt: Content | None, left: Content, right: Content) -> tuple[Content, Content, Content]:
    """Prompt and answers of one type. Text beside messages becomes a message of the user or of the assistant."""
    if prompt is None:
        return split_pair(left, right)
    if isinstance(left, str) != isinstance(right, str):
        raise Flaw("wrong_type", "one answer is text and the other is messages")
    if isinstance(prompt, tuple):
        return prompt, _as_messages(left, "assistant"), _as_messages(right, "assistant")
    if isinstance(left, str):
        return prompt, left, right
    # UltraFeedback's way: the prompt column repeats what both dialogues begin with.
    repeats = left[:1] == right[:1] and prompt in (message["content"] for message in left[:1])
    return split_pair(left, right) if repeats else (_as_messages(prompt, "user"), left, right)


def _as_messages(content: Content, role: str) -> Content:
    return ({"role": role, "content": content},) if isinstance(content, str) else content


def _completion(values: Values, line: int) -> Record:
    prompt, completion = (read_content(values[name], name) for name in ("prompt", "completion"))
    require_prompt(prompt)
    require_answer(completion, "completion")
    if isinstance(prompt, str) != isinstance(completion, str):
        prompt, completion = _as_messages(prompt, "user"), _as_messages(completion, "assistant")
    return Record(kind="prompt_completion", line=line, prompt=prompt, completion=completion)


def _unpaired(values: Values, line: int) -> Record | Outcome:
    made = _completion(values, line)
    if values["label"] is None or values["label"] == "":
        return "no_verdict"
    return replace(made, kind="unpaired", label=read_label(values["label"], "label"))


def _prompt_only(values: Values, line: int) -> Record:
    prompt = read_content(values["prompt"], "prompt")
    require_prompt(prompt)
    source = read_name(values.get("source"), "source")
    if values.get("target") in (None, ""):
        return Record(kind="prompt_only", line=line, prompt=prompt, source=source)
    target = _one_target(values["target"])
    return Record(
        kind="prompt_only", line=line, prompt=prompt, source=source, targets=(target,), columns={"target": target}
    )


def _one_target(value: object) -> str:
    """verl's ground truth, which its rows hold once."""
    targets = read_targets(value)
    if len(targets) > 1:
        raise Flaw("wrong_type", f"expected one ground truth, got {len(targets)}", "target")
    return targets[0]


def _text(values: Values, line: int) -> Record:
    if not isinstance(values["text"], str):
        raise Flaw("wrong_type", f"expected text, got {type_name(values['text'])}", "text")
    require_answer(values["text"], "text")
    source = read_name(values.get("source"), "source")
    return Record(kind="text", line=line, text=values["text"], source=source)


def _messages(values: Values, line: int) -> Record:
    dialogue = read_content(values["messages"], "messages")
    if isinstance(dialogue, str):
        raise Flaw("wrong_type", "expected a list of messages, got text", "messages")
    require_answer(dialogue, "messages")
    return Record(kind="messages", line=line, text=dialogue)


MAKERS: dict[Kind, Callable[[Values, int], Record | Outcome]] = {
    "preference": _preference,
    "prompt_completion": _completion,
    "unpaired": _unpaired,
    "prompt_only": _prompt_only,
    "stepwise": stepwise,
    "ratings": ratings,
    "scored_text": scored_text,
    "prompt_target": prompt_target,
    "text": _text,
    "messages": _messages,
}
