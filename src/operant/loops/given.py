"""Solutions that come with prompts: to imitate, or to learn from what a right step looks like."""

from __future__ import annotations

from operant.errors import offered
from operant.schema import Answer, Bench
from operant.training.demonstrations import is_good

REFERENCES = ("target", "answer")  # columns: the right answer, and where it has several lines, how to get there


def given_solutions(bench: Bench) -> dict[str, Answer]:
    """A solution of each training prompt that has one.

    Its column `solution`, else a demonstration or what was chosen, else a reference answer of several lines.
    """
    found = {pair.prompt.id: pair.chosen for pair in reversed(offered(lambda: bench.task.pairs("train")))}
    if not found:
        judged = offered(lambda: bench.task.judged("train"))
        found = {one.prompt.id: one.answer for one in reversed(judged) if is_good(one)}
    for prompt in bench.task.prompts("train"):
        text = prompt.columns.get("solution")
        if not text and prompt.id not in found:
            text = next((one for one in map(prompt.columns.get, REFERENCES) if "\n" in str(one or "").strip()), None)
        if text:
            found[prompt.id] = Answer(value=str(text))
    return found
