"""Records made from records of another kind. Pure functions; what cannot be made is counted, never guessed."""

from collections import Counter
from dataclasses import replace
from itertools import combinations
from typing import Literal

from operant.data.chat import turn
from operant.data.records import Content, Derived, Record
from operant.errors import require

Pairs = Literal["all", "best-worst"]
PAIRS: tuple[Pairs, ...] = ("all", "best-worst")


def ratings_to_pairs(record: Record, *, pairs: Pairs = "all") -> Derived:
    """Preference pairs of a k-wise record: the higher score is chosen, `margin` is the difference of the scores.

    Args:
        pairs: "all" takes every two completions; "best-worst" one pair, the first of the best against the first of
            the worst.
    Dropped: "tie" for two equal scores, "identical pair" for two equal texts, "one completion" where there is no other.
    """
    require(pairs in PAIRS, "pairs", pairs, " or ".join(PAIRS))
    assert record.completions is not None and record.scores is not None and record.prompt is not None
    if len(record.completions) < 2:
        return Derived((), {"one completion": 1})
    rated = list(zip(record.completions, record.scores, strict=True))
    if pairs == "all":
        both = list(combinations(rated, 2))
    else:
        both = [(max(rated, key=lambda one: one[1]), min(rated, key=lambda one: one[1]))]
    made, dropped = [], Counter[str]()
    for left, right in both:
        if left[1] == right[1]:
            dropped["tie"] += 1
        elif left[0] == right[0]:
            dropped["identical pair"] += 1
        else:
            made.append(_pair(record, *((left, right) if left[1] > right[1] else (right, left))))
    return Derived(tuple(made), dict(dropped))


def _pair(record: Record, won: tuple[Content, float], lost: tuple[Content, float]) -> Record:
    return Record(
        kind="preference",
        line=record.line,
        prompt=record.prompt,
        chosen=won[0],
        rejected=lost[0],
        margin=won[1] - lost[1],
        ratings=(won[1], lost[1]),
        split=record.split,
        columns=record.columns,
    )


def pair_to_unpaired(record: Record) -> Derived:
    """The chosen answer as good, the rejected one as bad."""
    assert record.chosen is not None and record.rejected is not None
    return Derived(
        tuple(
            _answer(record, "unpaired", side, label=label)
            for side, label in ((record.chosen, True), (record.rejected, False))
        )
    )


def unpaired_to_completion(record: Record) -> Derived:
    """A good answer as one to learn from; "labelled bad" is dropped."""
    assert record.completion is not None
    if not record.label:
        return Derived((), {"labelled bad": 1})
    return Derived((_answer(record, "prompt_completion", record.completion),))


def stepwise_to_unpaired(record: Record) -> Derived:
    """All steps, a line each, as one answer: good where every step is right."""
    assert record.steps is not None and record.step_labels is not None
    joined = "\n".join(record.steps)
    answer = turn("assistant", joined) if isinstance(record.prompt, tuple) else joined
    return Derived((_answer(record, "unpaired", answer, label=all(record.step_labels)),))


def completion_to_messages(record: Record) -> Derived:
    """Prompt and completion as one dialogue; both must be messages (see chat.to_chat)."""
    assert isinstance(record.prompt, tuple) and isinstance(record.completion, tuple)
    text = record.prompt + record.completion
    return Derived((Record(kind="messages", line=record.line, text=text, split=record.split, columns=record.columns),))


def messages_to_completion(record: Record) -> Derived:
    """The assistant's last message is the completion of what stands before it; other dialogues are dropped."""
    assert isinstance(record.text, tuple)
    if len(record.text) < 2 or record.text[-1]["role"] != "assistant":
        return Derived((), {"no answer at the end": 1})
    made = replace(record, text=None, prompt=record.text[:-1])
    return Derived((_answer(made, "prompt_completion", record.text[-1:]),))


def target_to_completion(record: Record) -> Derived:
    """The first target as the answer to learn."""
    assert record.targets
    answer = turn("assistant", record.targets[0]) if isinstance(record.prompt, tuple) else record.targets[0]
    return Derived((_answer(record, "prompt_completion", answer),))


def prompt_to_target(record: Record) -> Derived:
    """A prompt whose column `target` holds what is right, as in verl's files; others are dropped."""
    target = record.columns.get("target")
    if not isinstance(target, str) or not target.strip():
        return Derived((), {"no target": 1})
    columns = {name: value for name, value in record.columns.items() if name != "target"}
    return Derived((replace(record, kind="prompt_target", targets=(target,), columns=columns, source=None),))


def to_prompt(record: Record) -> Derived:
    """The prompt alone."""
    made = Record(
        kind="prompt_only", line=record.line, prompt=record.prompt, split=record.split, columns=record.columns
    )
    return Derived((made,))


def scored_to_text(record: Record) -> Derived:
    """The whole text without its scores."""
    return Derived((replace(record, kind="text", texts=None, scores=None),))


def _answer(
    record: Record, kind: Literal["unpaired", "prompt_completion"], answer: Content, *, label: bool | None = None
) -> Record:
    return Record(
        kind=kind,
        line=record.line,
        prompt=record.prompt,
        completion=answer,
        label=label,
        split=record.split,
        columns=record.columns,
    )
