"""A reward model behind a server, asked as OpenRLHF asks its remote ones: POST {"query", "prompts"} -> {"rewards"}."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from operant.disk import read_json, write_json
from operant.errors import require
from operant.meter import charge
from operant.models.endpoint.http import EndpointError, Poster, check_url
from operant.rewards.model import win_probability
from operant.schema import Answer, Json, Prompt, Scale, Score

SPEAKERS = {"user": "Human", "assistant": "Assistant"}


def as_text(prompt: Prompt) -> str:
    """A text as it is; a conversation in the form of HH-RLHF, open for the assistant's answer."""
    if isinstance(prompt.content, str):
        return prompt.content
    turns = [f"{SPEAKERS.get(turn['role'], turn['role'].title())}: {turn['content']}" for turn in prompt.content]
    return "\n\n".join(["", *turns, "Assistant: "])


class RemoteReward:
    """Scores by a server. `query` is prompt and answer joined without anything between them.

    A null is an unknown score; anything else that is not a number is an error. Charged: one request and as many reward
    calls as answers for every batch that came back.

    Args:
        poster: retries, deadline and concurrency; it sends no key unless it is told which.
        render: prompt to text, `as_text` if not given; a server with a chat template of its own wants that one.
        scale: "logit" where the server is known to hold a Bradley-Terry model.
    """

    def __init__(
        self, url: str, *, batch: int = 64, poster: Poster | None = None, scale: Scale = "raw",
        render: Callable[[Prompt], str] = as_text,
    ):  # fmt: skip
        check_url(url)
        require(batch >= 1, "batch", batch, "at least 1 answer a request")
        self.url, self.batch, self.poster, self.scale, self.render = url, batch, poster or Poster(), scale, render

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        asked = [self.render(prompt) for prompt in prompts]
        query = [f"{prompt}{answer.value}" for prompt, answer in zip(asked, answers, strict=True)]
        slices = [slice(start, start + self.batch) for start in range(0, len(query), self.batch)]
        bodies: list[Json] = [{"query": list(query[part]), "prompts": list(asked[part])} for part in slices]
        checked: dict[int, list[Score]] = {}

        def arrived(place: int, reply: Json) -> None:
            count = len(query[slices[place]])
            checked[place] = self._scores(reply, count)
            charge(requests=1, reward_calls=count)

        self.poster.post(self.url, bodies, arrived=arrived)
        return [score for place in range(len(slices)) for score in checked[place]]

    def _scores(self, reply: Json, count: int) -> list[Score]:
        rewards = reply.get("rewards") if isinstance(reply, dict) else None
        if not isinstance(rewards, list) or len(rewards) != count:
            got = f"{len(rewards)} rewards" if isinstance(rewards, list) else self.poster.hidden(json.dumps(reply))[:80]
            raise EndpointError(self.url, f"answered {got}; expected {{'rewards': [...]}} with {count} numbers")
        return [self._score(value) for value in rewards]

    def _score(self, value: Any) -> Score:
        if value is None:
            return Score(value=None, why=f"{self.url} gave null")
        if type(value) not in (int, float) or not math.isfinite(value):
            raise EndpointError(self.url, f"gave {str(value)[:40]!r} as a reward; expected a number or null")
        return Score(value=float(value))

    def compare(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """sigmoid of the difference of the scores."""
        both = self.score([*prompts, *prompts], [*left, *right])
        ours, theirs = both[: len(prompts)], both[len(prompts) :]
        return [win_probability(one.value, two.value) for one, two in zip(ours, theirs, strict=True)]

    def save(self, directory: Path) -> None:
        """The address. No key, and nothing of the server."""
        write_json(directory / "remote_reward.json", {"url": self.url, "batch": self.batch, "scale": self.scale})

    @classmethod
    def load(cls, directory: Path, *, poster: Poster | None = None) -> RemoteReward:
        about = read_json(directory / "remote_reward.json")
        return cls(about["url"], batch=about["batch"], scale=about["scale"], poster=poster)
