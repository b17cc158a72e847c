"""Prompts and dialogues that LLaMA-Factory spreads over several columns, put together as text or messages."""

from collections.abc import Callable
from typing import Any

from operant.data.codes import Flaw, shorten
from operant.data.known import Style
from operant.data.records import Kind
from operant.data.values import type_name

Values = dict[str, Any]  # a row under our names
# ShareGPT's words for who speaks, and ours. An observation is what a tool gave back.
ROLES = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system",
    "observation": "tool", "tool": "tool", "function_call": "function_call",
}  # fmt: skip


def alpaca(values: Values, kind: Kind) -> Values:
    """Instruction and input joined by a line feed; with a system text or a history the prompt is a dialogue.

    `kind` decides nothing here. Raises Flaw wrong_type.
    """
    assert kind != "messages"
    rest = {name: value for name, value in values.items() if name not in ("input", "system", "history")}
    system, history = _text(values, "system"), _history(values.get("history"))
    if isinstance(values["prompt"], list):  # OpenRLHF: a column of that name may hold messages
        if system or history or _text(values, "input"):
            raise Flaw("wrong_type", "the prompt holds messages, and system, input or history hold more", "prompt")
        return rest
    asked = "\n".join(filter(None, (_text(values, "prompt"), _text(values, "input"))))
    if not system and not history:
        return {**rest, "prompt": asked}
    first = [_message("system", system)] if system else []
    turns = [_message(role, said) for pair in history for role, said in zip(("user", "assistant"), pair, strict=True)]
    # An empty question stays text, so that the check on empty prompts sees it.
    return {**rest, "prompt": [*first, *turns, _message("user", asked)] if asked.strip() else asked}


def _text(values: Values, name: str) -> str:
    value = values.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    raise Flaw("wrong_type", f"expected text, got {type_name(value)}", name)


def _history(value: object) -> list[Any]:
    if value is None or value == "":
        return []
    pairs = value if isinstance(value, list) else [value]
    if all(isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, str) for one in pair) for pair in pairs):
        return pairs
    raise Flaw("wrong_type", "history must be a list of pairs of texts, what was asked and what was said", "history")


def sharegpt(values: Values, kind: Kind) -> Values:
    """`conversations` as messages; under KTO the last one is the completion. Raises Flaw wrong_type."""
    rest = {name: value for name, value in values.items() if name not in ("conversations", "system")}
    talk, system = values["conversations"], _text(values, "system")
    if not isinstance(talk, list):
        said = f"expected a list of objects with from and value, got {type_name(talk)}"
        raise Flaw("wrong_type", said, "conversations")
    turns = [_message("system", system)] if system else []
    turns += [_turn(part, "conversations") for part in talk]
    if kind == "messages":
        return {**rest, "messages": turns}
    if kind == "preference":
        sides = {name: _side(values[name], name) for name in ("chosen", "rejected")}
        return {**rest, "prompt": turns, **sides}
    if len(turns) < 2 or turns[-1]["role"] != "assistant":
        raise Flaw("wrong_type", "the conversation must end with what gpt said, for that is labelled", "conversations")
    return {**rest, "prompt": turns[:-1], "completion": turns[-1:]}


def _side(value: object, name: str) -> Any:
    return [_turn(value, name)] if isinstance(value, dict) else value


def _turn(part: object, column: str) -> dict[str, str]:
    role, said = (part.get("from", part.get("role")), part.get("value", part.get("content"))) if isinstance(
        part, dict
    ) else (None, None)  # fmt: skip
    if not isinstance(role, str) or not isinstance(said, str):
        raise Flaw("wrong_type", "each turn must be an object with the texts from and value", column)
    if role not in ROLES:
        raise Flaw("wrong_type", f"nobody is called {shorten(role)}; known are {', '.join(ROLES)}", column)
    return _message(ROLES[role], said)


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _plain(values: Values, kind: Kind) -> Values:
    assert kind
    return values


STYLES: dict[Style, Callable[[Values, Kind], Values]] = {"plain": _plain, "alpaca": alpaca, "sharegpt": sharegpt}
