"""A model behind an endpoint, as a Generator: it samples, and gives what log-probabilities its server gives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from operant.disk import answer_seed, read_json, write_json
from operant.errors import NotApplicable, OperantError, require
from operant.models.endpoint.client import Client, Door
from operant.models.endpoint.http import EndpointError
from operant.models.endpoint.scoring import Scoring
from operant.schema import KL, Answer, Decoding, Finish, Json, Point, Prompt

Ask = tuple[Door, dict[str, Json]]
ADDRESS = "endpoint.json"  # what is stored of one
ENDPOINT = "endpoint:"  # how the name of a model on a server begins: endpoint:MODEL@URL[#message]


class Endpoint:
    """Samples from a server; one request an answer, so that each has a seed of its own.

    Args:
        text_as: a text prompt goes to /completions as it is, or to /chat/completions as one message of the user.
            Conversations always go to /chat/completions.
        logps: "leave" does not ask for log-probabilities of sampled answers; "ask" takes them where the server gives
            them; "require" makes a missing one an OperantError.
        extra: fields to add to every request, over ours; None takes a field away (for servers that refuse `top_p`).
    """

    def __init__(
        self, client: Client, *, text_as: Literal["completion", "message"] = "completion",
        logps: Literal["leave", "ask", "require"] = "leave", extra: Mapping[str, Json] | None = None,
    ):  # fmt: skip
        require(text_as in ("completion", "message"), "text_as", text_as, "'completion' or 'message'")
        require(logps in ("leave", "ask", "require"), "logps", logps, "'leave', 'ask' or 'require'")
        self.client, self.text_as, self.wanted, self.extra = client, text_as, logps, dict(extra or {})
        self.scoring = Scoring(client)

    @classmethod
    def of(cls, spec: str, *, cache: Path | None = None) -> Endpoint:
        """From `endpoint:MODEL@URL`, URL up to and with /v1; with `#message` behind it text_as is "message"."""
        found = re.fullmatch(rf"{ENDPOINT}(.+)@(https?://[^#]+)(#message)?", spec)
        if found is None:
            raise OperantError(f"{spec!r} names no endpoint; expected {ENDPOINT}MODEL@http(s)://host/v1[#message]")
        return cls(Client(found[2], found[1], cache=cache), text_as="message" if found[3] else "completion")

    @property
    def module(self) -> Any:
        """An endpoint has no weights to train or to read."""
        raise NotApplicable(f"{self.client.model} is behind {self.client.url}; it has no weights to train or to read")

    @property
    def tokenizer(self) -> Any:
        raise NotApplicable(f"{self.client.model} is behind {self.client.url}; its tokenizer is not known")

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """n answers per prompt; the request of answer j carries a seed from (seed, prompt id, j) alone."""
        require(n >= 1, "n", n, "at least 1 answer per prompt")
        if self.wanted == "require" and decoding.temperature not in (0, 1):
            raise OperantError(
                f"log-probabilities at temperature {decoding.temperature} were asked for, but a server need not give "
                "them for the tempered distribution; use temperature 1 or 0, or logps='leave'"
            )
        asked = [
            self._request(prompt, decoding, answer_seed(seed, prompt.id, j)) for prompt in prompts for j in range(n)
        ]
        replies = self._send(asked)
        flat = [self._answer(door, reply, decoding) for (door, _), reply in zip(asked, replies, strict=True)]
        return [flat[start : start + n] for start in range(0, len(flat), n)]

    def _send(self, asked: Sequence[Ask]) -> list[dict[str, Any]]:
        replies: list[dict[str, Any]] = [{}] * len(asked)
        doors: tuple[Door, ...] = ("chat/completions", "completions")
        for door in doors:
            places = [place for place, (name, _) in enumerate(asked) if name == door]
            for place, reply in zip(places, self.client.ask(door, [asked[at][1] for at in places]), strict=True):
                replies[place] = reply
        return replies

    def _request(self, prompt: Prompt, decoding: Decoding, seed: int) -> Ask:
        body: dict[str, Any] = {
            "max_tokens": decoding.max_tokens, "temperature": decoding.temperature,
            "top_p": 1,  # some servers have another default
            "seed": seed >> 32,  # 31 bits: not every server takes 63
        }  # fmt: skip
        messages = as_messages(prompt)
        door: Door = "chat/completions" if messages or self.text_as == "message" else "completions"
        if self.wanted != "leave":
            body["logprobs"] = True if door == "chat/completions" else 1
        if door == "completions":
            body["prompt"] = prompt.content
        else:
            body["messages"] = messages or [{"role": "user", "content": prompt.content}]
        body |= self.extra
        return door, {name: value for name, value in body.items() if value is not None}

    def _answer(self, door: Door, reply: Mapping[str, Any], decoding: Decoding) -> Answer:
        choice = reply["choices"][0]
        reason = choice.get("finish_reason")
        if not isinstance(reason, str):
            raise EndpointError(self.client.url, f"finish_reason is {reason!r}; expected a word such as 'stop'")
        logps = sampled_logps(door, choice) if self.wanted != "leave" and decoding.temperature in (0, 1) else None
        if logps is None and self.wanted == "require":
            raise EndpointError(
                self.client.url,
                f"{self.client.model} gave no log-probabilities, which were asked for; use logps='leave'",
            )
        finish: Finish = "length" if reason == "length" else "stop"
        trace = None if reason in ("stop", "length") else {"finish_reason": reason}
        return Answer(value=self._text(door, choice), logps=logps, finish=finish, trace=trace)

    def _text(self, door: Door, choice: Mapping[str, Any]) -> str:
        holder = choice if door == "completions" else choice.get("message")
        name = "text" if door == "completions" else "content"
        text = holder.get(name, 0) if isinstance(holder, dict) else 0
        if text is None and isinstance(holder, dict):
            text = holder.get("refusal") or ""  # a refusal is an answer; so is nothing, where a filter took it
        if not isinstance(text, str):
            raise EndpointError(self.client.url, f"{door} gave no {name!r} in a choice; expected text")
        return text

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[tuple[float, ...]] | None:
        """Log-probability of each token of each answer at temperature 1, nats; None where the server cannot say.

        A server of `operant serve` counts the closing end-of-sequence token, others do not.
        """
        return self.scoring.logps(prompts, answers)

    def require_logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[tuple[float, ...]]:
        """The same, or an EndpointError that says why there are none."""
        found = self.logps(prompts, answers)
        if found is None:
            raise EndpointError(
                self.client.url,
                f"no log-probabilities of given answers: {self.scoring.why}; `operant serve` gives them",
            )
        return found

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        assert base is not None and len(prompts) == len(answers)
        return KL(values=None, kind="none", why="an endpoint does not show the distribution over the next token")

    def points(self) -> list[Point]:
        return []

    def save(self, directory: Path) -> None:
        """The address and the name of the model. Neither the key nor where it stands."""
        about = {"url": self.client.url, "model": self.client.model, "text_as": self.text_as, "extra": self.extra}
        write_json(directory / ADDRESS, about)

    @classmethod
    def load(cls, directory: Path, *, key_env: str | None = None, cache: Path | None = None) -> Endpoint:
        """A saved endpoint. No key is sent unless `key_env` names it: the address comes from a file."""
        about = read_json(directory / ADDRESS)
        client = Client(about["url"], about["model"], key_env=key_env, cache=cache)
        return cls(client, text_as=about["text_as"], extra=about["extra"])


def as_messages(prompt: Prompt) -> list[dict[str, Any]] | None:
    """The messages of a conversation; None for a text."""
    if isinstance(prompt.content, str):
        return None
    try:
        return [{"role": message["role"], "content": message["content"]} for message in prompt.content]
    except (TypeError, KeyError):
        raise OperantError(
            f"prompt {prompt.id!r} is neither text nor messages; an endpoint takes nothing else"
        ) from None


def sampled_logps(door: Door, choice: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Log-probabilities of a sampled answer, nats; None unless there is a number for every token."""
    held = choice.get("logprobs")
    if not isinstance(held, dict):
        return None
    values = held.get("token_logprobs")
    if door == "chat/completions":
        content = held.get("content")
        values = [one.get("logprob") for one in content if isinstance(one, dict)] if isinstance(content, list) else None
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        return None
    return tuple(map(float, values))
