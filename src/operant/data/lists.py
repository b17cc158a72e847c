"""Records whose columns are lists: steps, rated completions, scored segments, targets. Flaw where one is not."""

from typing import Any

from operant.data.codes import Flaw
from operant.data.records import Content, Record
from operant.data.values import read_content, read_label, read_number, require_answer, require_prompt, type_name
from operant.data.verdicts import Outcome

Values = dict[str, Any]  # the row under our names


def stepwise(values: Values, line: int) -> Record:
    prompt, steps, labels = read_content(values["prompt"], "prompt"), values["completions"], values["labels"]
    if not isinstance(steps, list) or not steps or not all(isinstance(step, str) for step in steps):
        raise Flaw("wrong_type", "completions must be a list of texts, one a step", "completions")
    if not isinstance(labels, list) or len(labels) != len(steps):
        said = f"labels must be a list of true or false, one for each of {len(steps)} steps"
        raise Flaw("wrong_type", said, "labels")
    require_prompt(prompt)
    for step in steps:
        require_answer(step, "completions")
    marks = tuple(read_label(label, "labels") for label in labels)
    return Record(kind="stepwise", line=line, prompt=prompt, steps=tuple(steps), step_labels=marks)


def ratings(values: Values, line: int) -> Record | Outcome:
    """Completions with a score each. One without is left out; where none has any there is no verdict."""
    prompt = read_content(values["prompt"], "prompt")
    given, scores = _list(values, "completions"), _list(values, "scores")
    _same_length(given, scores, "completions", "scores")
    require_prompt(prompt)
    completions = [_completion(part, prompt) for part in given]
    numbers = [read_number(score, "scores") for score in scores]
    rated = [(said, number) for said, number in zip(completions, numbers, strict=True) if number is not None]
    if not rated:
        return "no_verdict"
    kept, marks = zip(*rated, strict=True)
    rater = read_name(values.get("rater"), "rater")
    return Record(kind="ratings", line=line, prompt=prompt, completions=kept, scores=marks, rater=rater)


def _completion(value: object, prompt: Content) -> Content:
    content = read_content(value, "completions")
    require_answer(content, "completions")
    if isinstance(content, str) and isinstance(prompt, tuple):
        return ({"role": "assistant", "content": content},)
    if isinstance(content, tuple) and isinstance(prompt, str):
        raise Flaw("wrong_type", "the prompt is text and a completion is messages", "completions")
    return content


def scored_text(values: Values, line: int) -> Record:
    """Segments with a score each. A segment may be blank, the whole text may not."""
    texts, scores = _list(values, "texts"), _list(values, "scores")
    if not all(isinstance(text, str) for text in texts):
        raise Flaw("wrong_type", "texts must be a list of texts, one a segment", "texts")
    _same_length(texts, scores, "texts", "scores")
    whole = "".join(texts)
    require_answer(whole, "texts")
    marks = [read_number(score, "scores") for score in scores]
    numbers = tuple(mark for mark in marks if mark is not None)
    if len(numbers) < len(marks):
        raise Flaw("wrong_type", "a segment has no score; expected a finite number for each", "scores")
    source = read_name(values.get("source"), "source")
    return Record(kind="scored_text", line=line, text=whole, texts=tuple(texts), scores=numbers, source=source)


def prompt_target(values: Values, line: int) -> Record:
    """A question and what counts as right. A whole number beside choices is an index into them, from 0."""
    prompt, target = read_content(values["prompt"], "prompt"), values["target"]
    require_prompt(prompt)
    choices = _choices(values.get("choices"))
    if choices and isinstance(target, int) and not isinstance(target, bool):
        if not 0 <= target < len(choices):
            raise Flaw("wrong_type", f"the target is {target}, and there are {len(choices)} choices", "target")
        target = choices[target]
    return Record(kind="prompt_target", line=line, prompt=prompt, targets=read_targets(target), choices=choices)


def _choices(value: object) -> tuple[str, ...] | None:
    """A list of texts; also an object whose `text` is one. Anything else says nothing that we could use."""
    found = value.get("text") if isinstance(value, dict) else value
    return tuple(found) if isinstance(found, list) and found and all(isinstance(one, str) for one in found) else None


def read_targets(value: object) -> tuple[str, ...]:
    """One text or several; numbers as their digits."""
    many = value if isinstance(value, list) else [value]
    if not many or any(isinstance(one, bool) or not isinstance(one, (str, int, float)) for one in many):
        raise Flaw("wrong_type", f"expected text or a list of texts, got {type_name(value)}", "target")
    targets = tuple(map(str, many))
    for target in targets:
        require_answer(target, "target")
    return targets


def read_name(value: object, column: str) -> str | None:
    """A name or number as text; null and empty are None."""
    if value is None or value == "":
        return None
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return str(value)
    raise Flaw("wrong_type", f"expected a name, got {type_name(value)}", column)


def _list(values: Values, name: str) -> list[Any]:
    value = values[name]
    if isinstance(value, list) and value:
        return value
    raise Flaw("wrong_type", f"expected a list, got {type_name(value)}", name)


def _same_length(left: list[Any], right: list[Any], name: str, other: str) -> None:
    if len(left) != len(right):
        raise Flaw("unequal_lengths", f"{name} has {len(left)} entries and {other} {len(right)}", other)
