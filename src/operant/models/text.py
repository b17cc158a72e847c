"""Prompts and answers to token ids and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from operant.errors import OperantError
from operant.schema import Answer, Prompt


class Encoded(NamedTuple):
    """One prompt and one answer as token ids; the answer ends in EOS exactly when it is finished."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


def encode_prompt(tokenizer: Any, prompt: Prompt) -> tuple[int, ...]:
    """Ids of the prompt as the model expects it: chat template for messages, special tokens for text."""
    if isinstance(prompt.content, str):
        ids = list(tokenizer(prompt.content)["input_ids"])
        while ids and ids[-1] == tokenizer.eos_token_id and len(ids) > 1:
            ids.pop()  # some tokenizers close every text; a prompt is not closed
        return tuple(ids) or _start(tokenizer)
    if not tokenizer.chat_template:
        raise OperantError(
            f"prompt {prompt.id!r} is a conversation, but the tokenizer has no chat template; add chat_template.jinja "
            "to the model directory, or give prompts as text"
        )
    encoded = tokenizer.apply_chat_template(list(prompt.content), add_generation_prompt=True, return_dict=True)
    return tuple(encoded["input_ids"])


def _start(tokenizer: Any) -> tuple[int, ...]:
    """An empty prompt still needs one position from which the first token is predicted."""
    start = tokenizer.bos_token_id
    return (tokenizer.eos_token_id if start is None else start,)


def encode_answer(tokenizer: Any, answer: Answer) -> tuple[int, ...]:
    """The answer's own ids where it has them, else its text's, closed by EOS when it is finished."""
    if answer.tokens is not None:
        return answer.tokens
    ids = tuple(tokenizer(str(answer.value), add_special_tokens=False)["input_ids"])
    return (*ids, tokenizer.eos_token_id) if answer.finish == "stop" else ids


def encode(tokenizer: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Encoded]:
    return [
        Encoded(encode_prompt(tokenizer, prompt), encode_answer(tokenizer, answer))
        for prompt, answer in zip(prompts, answers, strict=True)
    ]


def decode(tokenizer: Any, tokens: Sequence[int]) -> str:
    """The text of an answer, without special tokens."""
    return tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
