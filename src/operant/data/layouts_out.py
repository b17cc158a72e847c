"""Records as rows of a layout that others read."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from operant.data.chat import turn
from operant.data.codes import Flaw
from operant.data.prompts import split_pair
from operant.data.records import Content, Kind, Message, Record
from operant.data.swap import swap_sides

Values = dict[str, Any]
Form = Literal["text", "chat"]
FROM = {"user": "human", "assistant": "gpt", "system": "system", "tool": "observation",
        "function_call": "function_call"}  # fmt: skip


class Unfit(Exception):
    """This layout cannot hold this record; the reason is counted. Never reaches a user."""


class Target(NamedTuple):
    """A layout to write: the kinds that it holds, the one way it writes them, and their form where it has only one."""

    kinds: tuple[Kind, ...]
    make: Callable[[Record], Values]
    form: Form | None = None


def content(value: Content | None) -> Any:
    return [dict(message) for message in value] if isinstance(value, tuple) else value


def _some(**values: Any) -> Values:
    return {name: value for name, value in values.items() if value is not None}


def _also(record: Record) -> Values:
    """What a record may hold beside what its layout needs, under the names by which we read it."""
    won, lost = record.ratings or (None, None)
    choices = None if record.choices is None else list(record.choices)
    return _some(
        margin=record.margin, baseline=content(record.baseline), score_chosen=won, score_rejected=lost,
        rater_id=record.rater, choices=choices, source=record.source, split=record.split,
    )  # fmt: skip


def _plain(record: Record) -> Values:
    """Our own layout of each kind, which is TRL's where TRL has one."""
    targets = list(record.targets or ())
    shapes: dict[Kind, Values] = {
        "text": {"text": record.text},
        "messages": {"messages": content(record.text)},
        "prompt_only": _some(prompt=content(record.prompt), target=record.columns.get("target")),
        "prompt_completion": {"prompt": content(record.prompt), "completion": content(record.completion)},
        "unpaired": {
            "prompt": content(record.prompt), "completion": content(record.completion), "label": record.label,
        },
        "preference": {
            "prompt": content(record.prompt), "chosen": content(record.chosen), "rejected": content(record.rejected),
        },
        "stepwise": {
            "prompt": content(record.prompt), "completions": list(record.steps or ()),
            "labels": list(record.step_labels or ()),
        },
        "ratings": {
            "prompt": content(record.prompt), "completions": [content(one) for one in record.completions or ()],
            "scores": list(record.scores or ()),
        },
        "scored_text": {"texts": list(record.texts or ()), "scores": list(record.scores or ())},
        "prompt_target": {
            "prompt": content(record.prompt), **({"target": targets[0]} if len(targets) == 1 else {"targets": targets}),
        },
    }  # fmt: skip
    return shapes[record.kind] | _also(record)


def _implicit(record: Record) -> Values:
    """TRL's implicit prompt: both sides begin with it. Unfit where a reader would find another prompt."""
    assert record.prompt is not None and record.chosen is not None and record.rejected is not None
    chosen, rejected = (_joined(record.prompt, side) for side in (record.chosen, record.rejected))
    try:
        found = split_pair(chosen, rejected)[0]
    except Flaw:
        found = ""
    if found != record.prompt:
        raise Unfit("a prompt that cannot be told from its answers")
    return {"chosen": content(chosen), "rejected": content(rejected)} | _also(record)


def _joined(prompt: Content, answer: Content) -> Content:
    if isinstance(prompt, str) and isinstance(answer, str):
        return prompt + answer
    assert isinstance(prompt, tuple) and isinstance(answer, tuple)
    return prompt + answer


def _alpaca(record: Record) -> Values:
    """LLaMA-Factory: the instruction holds all that is asked and `input` is empty; system and history as they are."""
    if record.kind == "text":
        return _plain(record)
    asked = _instruction(record.prompt)
    if record.kind == "preference":
        return asked | {"chosen": _one(record.chosen), "rejected": _one(record.rejected)} | _also(record)
    tag = {} if record.kind == "prompt_completion" else {"kto_tag": record.label}
    return asked | {"output": _one(record.completion)} | tag | _also(record)


def _instruction(prompt: Content | None) -> Values:
    if not isinstance(prompt, tuple):
        return {"instruction": prompt, "input": ""}
    system = prompt[0]["content"] if prompt and prompt[0]["role"] == "system" else ""
    turns = prompt[1:] if system else prompt
    roles = [message["role"] for message in turns]
    if len(turns) % 2 == 0 or roles != ["user", "assistant"] * (len(turns) // 2) + ["user"]:
        raise Unfit("turns that alpaca cannot hold")
    said = [message["content"] for message in turns]
    history = [said[at : at + 2] for at in range(0, len(said) - 1, 2)]
    found: Values = {"instruction": said[-1], "input": ""}
    return found | ({"system": system} if system else {}) | ({"history": history} if history else {})


def _one(answer: Content | None) -> str:
    """The text of an answer that is text or one message of the assistant."""
    return answer if isinstance(answer, str) else _single(answer)["content"]


def _single(answer: Content | None) -> Message:
    if not isinstance(answer, tuple) or len(answer) != 1 or answer[0]["role"] != "assistant":
        raise Unfit("an answer of several messages")
    return answer[0]


def _sharegpt(record: Record) -> Values:
    """LLaMA-Factory: conversations of from and value."""
    if record.kind == "messages":
        return {"conversations": _talk(record.text)} | _also(record)
    if record.kind == "unpaired":
        _single(record.completion)
        talk = _talk(record.prompt) + _talk(record.completion)
        return {"conversations": talk, "kto_tag": record.label} | _also(record)
    sides = {
        name: _talk((_single(side),))[0] for name, side in (("chosen", record.chosen), ("rejected", record.rejected))
    }
    return {"conversations": _talk(record.prompt)} | sides | _also(record)


def _talk(messages: Content | None) -> list[dict[str, str]]:
    assert isinstance(messages, tuple)
    if any(message["role"] not in FROM for message in messages):
        raise Unfit("a role that sharegpt does not know")
    return [{"from": FROM[message["role"]], "value": message["content"]} for message in messages]


def _verl(record: Record) -> Values:
    """A prompt and its one ground truth; `data_source` is by what verl chooses its reward function."""
    if record.targets and len(record.targets) > 1:
        raise Unfit("several targets where verl holds one")
    truth = record.targets[0] if record.targets else record.columns.get("target")
    return {
        "data_source": record.source or str(record.columns.get("data_source") or "operant"),
        "prompt": content(record.prompt),
        "reward_model": {"style": "rule" if truth else "model", "ground_truth": truth or ""},
        "extra_info": {"split": record.split, "index": record.line},
    }


def _openrlhf(record: Record) -> Values:
    """The keys that its scripts name: input and output; prompt, chosen and rejected; context_messages."""
    if record.kind == "prompt_completion":
        return {"input": content(record.prompt), "output": content(record.completion)} | _also(record)
    if record.kind == "prompt_only":
        prompt = turn("user", record.prompt) if isinstance(record.prompt, str) else record.prompt
        return {"context_messages": content(prompt)} | _also(record)
    return _plain(record)


def _alpaca_eval(record: Record) -> Values:
    """Two outputs and which was better, 1 or 2. Where the file did not show two sides, a coin decides the order."""
    second = record.chosen_was == 2 if record.chosen_was else swap_sides([record], seed=0)[0]
    sides = (record.rejected, record.chosen) if second else (record.chosen, record.rejected)
    verdict = record.verdict or (2 if second else 1)
    row = {"instruction": record.prompt, "output_1": sides[0], "output_2": sides[1], "preference": verdict}
    return row | _also(record)


KINDS: tuple[Kind, ...] = (
    "text", "messages", "prompt_only", "prompt_completion", "preference", "unpaired", "stepwise", "ratings",
    "scored_text", "prompt_target",
)  # fmt: skip
TARGETS: Mapping[str, Target] = {
    **{str(kind): Target((kind,), _plain) for kind in KINDS},
    "implicit_preference": Target(("preference",), _implicit),
    "alpaca": Target(("prompt_completion", "preference", "unpaired", "text"), _alpaca),
    "sharegpt": Target(("messages", "preference", "unpaired"), _sharegpt, "chat"),
    "verl": Target(("prompt_target", "prompt_only"), _verl, "chat"),
    "openrlhf": Target(("prompt_completion", "preference", "prompt_only"), _openrlhf),
    "alpaca_eval": Target(("preference",), _alpaca_eval, "text"),
}
