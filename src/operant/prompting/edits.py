"""Prompts changed by pure functions. An edit keeps the prompt's id, on which pairing and seeds hang."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple, TypeAlias

from operant.disk import answer_seed
from operant.errors import NotApplicable, OperantError, offered
from operant.schema import Feedback, Prompt

Edit: TypeAlias = Callable[[Prompt], Prompt]


class Demo(NamedTuple):
    """One worked example."""

    input: str
    output: str
    task: str = ""


class Parts(NamedTuple):
    """What a prompt asks to be done, and to what."""

    instruction: str
    input: str


def joined(text: str, sentence: str, *, separator: str) -> str:
    """`text`, separator, sentence; where one of them is empty the other as it is, byte for byte."""
    return separator.join(filter(None, (text, sentence)))


def with_text(prompt: Prompt, change: Callable[[str], str]) -> Prompt:
    """The prompt with its text changed; of a conversation, the user's last message."""
    if isinstance(prompt.content, str):
        return replace(prompt, content=change(prompt.content))
    places = [place for place, message in enumerate(prompt.content) if message["role"] == "user"]
    if not places:
        raise OperantError(f"prompt {prompt.id!r} has no message of the user to change; expected at least one")
    messages: list[Any] = list(prompt.content)
    last = messages[places[-1]]
    messages[places[-1]] = {**last, "content": change(last["content"])}
    return replace(prompt, content=tuple(messages))


def after_instruction(prompt: Prompt, sentence: str, *, separator: str = " ") -> Prompt:
    """The sentence behind the instruction and before the input; at the end where no instruction is known.

    The instruction is the text of the column `instruction`, where that stands in the prompt.
    """
    instruction = prompt.columns.get("instruction")

    def change(text: str) -> str:
        if isinstance(instruction, str) and instruction and instruction in text:
            before, _, after = text.partition(instruction)
            return before + joined(instruction, sentence, separator=separator) + after
        return joined(text, sentence, separator=separator)

    return with_text(prompt, change)


def parts_of(prompt: Prompt) -> Parts:
    """The columns `instruction` and `input`; without them the whole text is the input."""
    instruction, given = prompt.columns.get("instruction"), prompt.columns.get("input")
    if isinstance(instruction, str) and isinstance(given, str):
        return Parts(instruction, given)
    if isinstance(prompt.content, str):
        return Parts("", prompt.content)
    raise OperantError(
        f"prompt {prompt.id!r} is a conversation without the columns instruction and input; a template needs them"
    )


def zero_shot(parts: Parts) -> str:
    """The zero-shot template of EmotionPrompt's harness. Source: Li et al. 2023, arXiv:2307.11760."""
    return f"Instruction: {parts.instruction}\n\nInput: {parts.input}\nAnswer: "


def few_shot(parts: Parts, demos: Sequence[Demo]) -> str:
    """The few-shot template of the same harness: examples between instruction and input, blank lines between them."""
    shown = "\n\n".join(f"Input: {demo.input}\nOutput: {demo.output}" for demo in demos)
    return f"Instruction: {parts.instruction}\n\n{shown}\nInput: {parts.input}\nAnswer: "


def promptbench(parts: Parts, sentence: str, *, request: str) -> str:
    """promptbench's order: the question, the sentence, and behind both what form the answer is to have."""
    asked = "\n".join(filter(None, (parts.instruction, parts.input, sentence)))
    return f"{asked}\n{request}"


def demos_of(task: Feedback) -> list[Demo]:
    """Worked examples of the train split: demonstrations, prompts with their accepted answers, or preferred answers."""
    shown = [one for one in offered(lambda: task.judged("train")) if one.label is not False and one.rating is None]
    found = [(one.prompt, one.answer.value) for one in shown]
    found = found or [(one, one.columns["targets"][0]) for one in task.prompts("train") if one.columns.get("targets")]
    found = found or [(pair.prompt, pair.chosen.value) for pair in offered(lambda: task.pairs("train"))]
    if not found:
        raise NotApplicable(f"{task.name} has no answers that could be shown as examples; use a zero-shot template")
    return [Demo(parts_of(one).input, str(text), str(one.columns.get("task", ""))) for one, text in found]


def demos_for(prompt: Prompt, pool: Sequence[Demo], *, count: int) -> list[Demo]:
    """Examples of the prompt's own task (its column `task`, where the pool has that), never the prompt itself.

    Which ones hangs on the prompt's id alone, so that they are the same in every condition.
    """
    task, given = prompt.columns.get("task"), parts_of(prompt).input
    others = [demo for demo in pool if demo.input != given]
    own = [demo for demo in others if demo.task == task] or others
    return Random(answer_seed(0, "demos", prompt.id)).sample(own, min(count, len(own)))
