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


def shown_prompt(content: Any) -> str:
    """A prompt for a reader: text as it is, messages as `role: content` lines, what else there is as it prints."""
    if not isinstance(content, list | tuple):
        return str(content)
    return "\n".join(f"{message['role']}: {message['content']}" for message in content)


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


def same_tokens(ours: Any, theirs: Any, *, what: str) -> None:
    """Refuse two tokenizers that give a token different ids: their models cannot speak token by token together."""
    left, right = ours.get_vocab(), theirs.get_vocab()
    differing = sorted(token for token in left.keys() | right.keys() if left.get(token) != right.get(token))
    if differing:
        token = differing[0]
        raise OperantError(
            f"{what} has another tokenizer than the base: token {token!r} is {right.get(token)} there and "
            f"{left.get(token)} here; models that answer together need one vocabulary"
        )


def stop_ids(module: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end an answer: the tokenizer's EOS, and what else the model's generation config names."""
    named = getattr(getattr(module, "generation_config", None), "eos_token_id", None)
    more = named if isinstance(named, list) else [named]
    return frozenset({tokenizer.eos_token_id, *more} - {None})


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
