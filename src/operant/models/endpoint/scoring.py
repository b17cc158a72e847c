"""Log-probabilities of given answers from /completions.

Two ways, tried in this order and remembered. `operant serve` takes prompt and answer apart (field `operant`), so that
they become the same tokens as in training. Other servers echo one text with the log-probability of each token; of that
the last tokens are taken, if they spell the answer exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from operant.models.endpoint.client import Client
from operant.models.endpoint.http import EndpointError
from operant.schema import Answer, Json, Prompt

Row = tuple[Prompt, Answer]
Logps = tuple[float, ...]
SCORE: dict[str, Json] = {"max_tokens": 0, "echo": True, "logprobs": 1, "temperature": 1}


class Scoring:
    """Finds out once what the server gives. `why` says why there are no log-probabilities."""

    def __init__(self, client: Client):
        self.client, self.why = client, ""
        self.way: Callable[[Sequence[Row]], list[Logps] | None] | None = None

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Logps] | None:
        rows = list(zip(prompts, answers, strict=True))
        if not rows:
            return []
        if self.way is not None:
            return self.way(rows)
        for way in (self._apart, self._echoed):
            if self._serves(way, rows[0]):
                self.way = way
                return way(rows)
        return None

    def _serves(self, way: Callable[[Sequence[Row]], list[Logps] | None], row: Row) -> bool:
        """Whether the server answers one row this way. A refusal is a no; a server that fails is an error."""
        try:
            return way([row]) is not None
        except EndpointError as error:
            if error.status is None or error.status in (401, 403):
                raise
            self.why = str(error)
            return False

    def _apart(self, rows: Sequence[Row]) -> list[Logps] | None:
        asked = [
            SCORE | {"prompt": _json(prompt), "operant": {"answer": str(answer.value), "finish": answer.finish}}
            for prompt, answer in rows
        ]
        replies = self.client.ask("completions", asked)
        if not all(isinstance(reply["choices"][0].get("operant"), dict) for reply in replies):
            self.why = "the server does not know the field `operant`"
            return None
        return self._all(_numbers(reply["choices"][0], None) for reply in replies)

    def _echoed(self, rows: Sequence[Row]) -> list[Logps] | None:
        if not all(isinstance(prompt.content, str) for prompt, _ in rows):
            self.why = "the server's chat template is not known, so conversations cannot be scored as text"
            return None
        asked = [SCORE | {"prompt": f"{prompt.content}{answer.value}"} for prompt, answer in rows]
        replies = self.client.ask("completions", asked)
        ends = [str(answer.value) for _, answer in rows]
        return self._all(_numbers(reply["choices"][0], end) for reply, end in zip(replies, ends, strict=True))

    def _all(self, found: Any) -> list[Logps] | None:
        values = list(found)
        if any(value is None for value in values):
            self.why = "the reply holds no log-probability for each token of the answer and of nothing else"
            return None
        return values


def _json(prompt: Prompt) -> Json:
    return prompt.content if isinstance(prompt.content, str) else [dict(message) for message in prompt.content]


def _numbers(choice: Mapping[str, Any], end: str | None) -> Logps | None:
    """The log-probabilities of a choice: all, or of the last tokens that together spell `end`."""
    held = choice.get("logprobs")
    tokens, values = (held.get(name) for name in ("tokens", "token_logprobs")) if isinstance(held, dict) else (None, 0)
    if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
        return None
    first = 0 if end is None else _start(tokens, end)
    if first is None or not all(type(value) in (int, float) for value in values[first:]):
        return None
    return tuple(map(float, values[first:]))


def _start(tokens: Sequence[Any], end: str) -> int | None:
    """Where the last tokens begin whose texts joined are `end`; None where a token stands across its start."""
    place, left = len(tokens), end
    while left and place > 0 and isinstance(tokens[place - 1], str) and left.endswith(tokens[place - 1]):
        place -= 1
        left = left[: len(left) - len(tokens[place])]
    return None if left else place
