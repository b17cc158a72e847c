"""A model that grades answers, its own included: what a judge asks, answered by weights that are at hand."""

from __future__ import annotations

from collections.abc import Sequence

from operant.rewards.endpoint_judge import Ask, Messages
from operant.schema import Decoding, Generator, Prompt


def asking(model: Generator, *, max_tokens: int = 256) -> Ask:
    """A function that asks the model each conversation once, greedily; its tokenizer needs a chat template."""

    def ask(conversations: Sequence[Messages]) -> list[str]:
        prompts = [Prompt(id=f"judge {place}", content=tuple(said)) for place, said in enumerate(conversations)]
        drawn = model.answer(prompts, n=1, decoding=Decoding(max_tokens=max_tokens, temperature=0.0), seed=0)
        return [str(many[0].value) for many in drawn]

    return ask
