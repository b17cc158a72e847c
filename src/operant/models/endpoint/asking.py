"""Conversations in, replies out: what a judge needs of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from operant.models.endpoint.client import Client
from operant.models.endpoint.policy import Endpoint
from operant.schema import Decoding, Prompt

Asker = Callable[[Sequence[Sequence[Mapping[str, str]]]], list[str]]


def asker(client: Client, *, max_tokens: int = 512, seed: int = 0) -> Asker:
    """A function that asks the model each conversation once, greedily."""
    endpoint = Endpoint(client)

    def ask(conversations: Sequence[Sequence[Mapping[str, str]]]) -> list[str]:
        prompts = [Prompt(id="judge", content=tuple(messages)) for messages in conversations]
        decoding = Decoding(max_tokens=max_tokens, temperature=0.0)
        return [str(many[0].value) for many in endpoint.answer(prompts, n=1, decoding=decoding, seed=seed)]

    return ask
