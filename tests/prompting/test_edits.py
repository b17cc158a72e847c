"""Prompt edits, byte for byte: nothing added changes nothing, and every template is as published."""

from __future__ import annotations

import pytest

from operant.errors import NotApplicable, OperantError
from operant.prompting.edits import (
    Demo,
    Parts,
    after_instruction,
    demos_for,
    demos_of,
    few_shot,
    joined,
    parts_of,
    promptbench,
    zero_shot,
)
from operant.schema import Answer, Judged, Pair, Prompt

PARTS = Parts("Sum the numbers.", "2 3")
OWN = Prompt(
    id="p", content="Do: Sum the numbers. Now: 2 3", columns={"instruction": PARTS.instruction, "input": "2 3"}
)
TALK = Prompt(
    id="t",
    content=(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "2 + 3?"},
    ),
)


@pytest.mark.parametrize("prompt", [OWN, TALK, Prompt(id="q", content="2 + 3?")])
def test_no_sentence_leaves_every_byte(prompt):
    assert after_instruction(prompt, "") == prompt


def test_the_sentence_stands_behind_the_instruction():
    changed = after_instruction(OWN, "Are you sure?")
    assert changed.content == "Do: Sum the numbers. Are you sure? Now: 2 3"
    assert (changed.id, changed.columns) == (OWN.id, OWN.columns)
    assert after_instruction(OWN, "Sure?", separator="").content == "Do: Sum the numbers.Sure? Now: 2 3"


def test_without_a_known_instruction_it_stands_at_the_end():
    for columns in ({}, {"instruction": "Not in the text."}, {"instruction": ""}):
        assert after_instruction(Prompt(id="q", content="2 + 3?", columns=columns), "Sure?").content == "2 + 3? Sure?"


def test_in_a_conversation_it_is_the_user_who_says_it():
    changed = after_instruction(TALK, "Sure?")
    assert changed.content[-1] == {"role": "user", "content": "2 + 3? Sure?"}
    assert changed.content[:-1] == TALK.content[:-1]
    with pytest.raises(OperantError, match="no message of the user"):
        after_instruction(Prompt(id="s", content=({"role": "system", "content": "Be brief."},)), "Sure?")


def test_joining_by_hand():
    assert joined("a", "b", separator=" ") == "a b"
    assert (joined("a", "", separator=" "), joined("", "b", separator=" ")) == ("a", "b")


def test_templates_by_hand():
    assert zero_shot(PARTS) == "Instruction: Sum the numbers.\n\nInput: 2 3\nAnswer: "
    demos = [Demo("1 1", "2"), Demo("4 5", "9")]
    assert few_shot(PARTS, demos) == (
        "Instruction: Sum the numbers.\n\nInput: 1 1\nOutput: 2\n\nInput: 4 5\nOutput: 9\nInput: 2 3\nAnswer: "
    )
    assert promptbench(PARTS, "Sure?", request="Answer: ") == "Sum the numbers.\n2 3\nSure?\nAnswer: "
    assert promptbench(Parts("", "2 3"), "", request="Answer: ") == "2 3\nAnswer: "


def test_parts_of_prompts():
    assert parts_of(OWN) == PARTS
    assert parts_of(Prompt(id="q", content="2 + 3?")) == Parts("", "2 + 3?")
    with pytest.raises(OperantError, match="columns instruction and input"):
        parts_of(TALK)


def test_examples_hang_on_the_prompt_alone_and_never_show_it():
    pool = [Demo(f"{place} 1", str(place + 1), task) for place in range(20) for task in ("sum", "diff")]
    asked = Prompt(id="p", content="x", columns={"instruction": "Sum.", "input": "2 1", "task": "sum"})
    found = demos_for(asked, pool, count=5)
    assert demos_for(asked, pool, count=5) == found
    assert len(set(found)) == 5
    assert {demo.task for demo in found} == {"sum"}
    everything = demos_for(asked, pool, count=99)
    assert "2 1" not in {demo.input for demo in everything} and len(everything) == 19
    other = demos_for(Prompt(id="other", content="x", columns=asked.columns), pool, count=5)
    assert other != found


class Task:
    """Feedback with some kinds of rows."""

    name = "rows"

    def __init__(self, *, judged=(), pairs=(), prompts=()):
        self.kinds = {"judged": judged, "pairs": pairs}
        self.asked = list(prompts)

    def prompts(self, split):
        return self.asked

    def judged(self, split):
        return self._some("judged")

    def pairs(self, split, *, attribute=None):
        return self._some("pairs")

    def _some(self, name):
        if not self.kinds[name]:
            raise NotApplicable("none")
        return list(self.kinds[name])


def test_examples_come_from_what_the_feedback_has():
    answer, bad = Answer(value="5"), Answer(value="6")
    pair = Pair(prompt=OWN, chosen=answer, rejected=bad)
    demo = [Demo("2 3", "5")]
    shown = [Judged(prompt=OWN, answer=answer), Judged(prompt=OWN, answer=bad, label=False)]
    assert demos_of(Task(judged=shown)) == demo
    known = Prompt(id="p", content="x", columns={**OWN.columns, "targets": ("5", "five")})
    assert demos_of(Task(prompts=[known], pairs=[pair])) == demo
    assert demos_of(Task(prompts=[OWN], pairs=[pair])) == demo
    with pytest.raises(NotApplicable, match="rows has no answers"):
        demos_of(Task(prompts=[OWN]))
