"""The model's side of a request: sample, cut at stop texts, score given text. One request at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from operant.disk import content_hash
from operant.engine.logps import all_logps
from operant.engine.policy import LanguageModel
from operant.models.text import Encoded, decode, encode_answer, encode_prompt
from operant.schema import Answer, Decoding, Finish, Prompt
from operant.serve.requests import Asked, BadRequest


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One answer, or one scored text: its tokens as texts that join to `text`."""

    text: str
    finish: Finish
    tokens: tuple[str, ...] = ()
    logps: tuple[float | None, ...] = ()  # nats; None for a first token, which nothing predicts
    apart: bool = False  # the answer of the field `operant`, without its prompt


@dataclass(frozen=True, kw_only=True)
class Drawn:
    choices: tuple[Choice, ...]  # n for each prompt in order
    prompt_tokens: int
    completion_tokens: int  # all that were sampled, what a stop text cut off included


class Served:
    """A language model and the name it goes by."""

    def __init__(self, policy: LanguageModel, *, name: str):
        self.policy, self.name, self.lock = policy, name, Lock()
        self.most = getattr(policy.module.config, "max_position_embeddings", None) or 2**31

    def run(self, asked: Asked) -> Drawn:
        with self.lock:
            return self._scored(asked) if asked.echo else self._sampled(asked)

    def _sampled(self, asked: Asked) -> Drawn:
        prompts = prompts_of(asked.contents)
        lengths = [len(encode_prompt(self.policy.tokenizer, prompt)) for prompt in prompts]
        most = self._fitting(max(lengths), asked.max_tokens)
        decoding = Decoding(max_tokens=most, temperature=asked.temperature)
        drawn = self.policy.answer(prompts, n=asked.n, decoding=decoding, seed=asked.seed)
        flat = [answer for many in drawn for answer in many]
        return Drawn(
            choices=tuple(self._choice(answer, asked) for answer in flat), prompt_tokens=sum(lengths),
            completion_tokens=sum(len(answer.tokens or ()) for answer in flat),
        )  # fmt: skip

    def _fitting(self, prompt: int, wanted: int | None) -> int:
        """How many tokens may be sampled; BadRequest where the prompt leaves too few."""
        left = self.most - prompt
        if left < (wanted or 1):
            raise BadRequest(
                f"{prompt} tokens of prompt and {wanted or 1} of answer; the model takes {self.most} together",
                param="max_tokens", code="context_length_exceeded",
            )  # fmt: skip
        return left if wanted is None else wanted

    def _choice(self, answer: Answer, asked: Asked) -> Choice:
        text, ids = str(answer.value), answer.tokens or ()
        cut = min((at for stop in asked.stop if (at := text.find(stop)) >= 0), default=None)
        finish: Finish = answer.finish if cut is None else "stop"
        if not asked.logprobs:
            return Choice(text=text[:cut], finish=finish)
        pieces = texts_of(self.policy.tokenizer, ids)
        kept = len(pieces) if cut is None else sum(start < cut for start in starts(pieces))
        last = pieces[:kept] if cut is None else shortened(pieces[:kept], cut)
        return Choice(text=text[:cut], finish=finish, tokens=last, logps=(answer.logps or ())[:kept])

    def _scored(self, asked: Asked) -> Drawn:
        if asked.answer is not None:
            return self._scored_answer(asked.contents[0], Answer(value=asked.answer, finish=asked.finish))
        tokenizer = self.policy.tokenizer
        ids = [encode_prompt(tokenizer, prompt) for prompt in prompts_of(asked.contents)]
        logps = self._logps([Encoded(one[:1], one[1:]) for one in ids])
        choices = tuple(
            Choice(text=text, finish="length", tokens=spelled(tokenizer, text, one), logps=(None, *found))
            for text, one, found in zip(asked.contents, ids, logps, strict=True)
        )
        return Drawn(choices=choices, prompt_tokens=sum(map(len, ids)), completion_tokens=0)

    def _scored_answer(self, content: Any, answer: Answer) -> Drawn:
        """The answer's tokens alone, as training reads them: encoded apart from the prompt, closed when finished."""
        tokenizer = self.policy.tokenizer
        row = Encoded(encode_prompt(tokenizer, *prompts_of([content])), encode_answer(tokenizer, answer))
        (logps,) = self._logps([row])
        text = str(answer.value)
        body = row.answer[:-1] if answer.finish == "stop" else row.answer
        tokens = (*spelled(tokenizer, text, body, special=False), *[""] * (len(row.answer) - len(body)))
        choice = Choice(text=text, finish=answer.finish, tokens=tokens, logps=logps, apart=True)
        return Drawn(choices=(choice,), prompt_tokens=len(row.prompt) + len(row.answer), completion_tokens=0)

    def _logps(self, rows: Sequence[Encoded]) -> list[tuple[float, ...]]:
        for row in rows:
            self._fitting(len(row.prompt) + len(row.answer) - 1, 1)
        long = [place for place, row in enumerate(rows) if row.answer]
        found = all_logps(self.policy.module, [rows[at] for at in long], pad=self.policy.tokenizer.pad_token_id)
        values = dict(zip(long, found, strict=True))
        return [values.get(place, ()) for place in range(len(rows))]


def prompts_of(contents: Sequence[Any]) -> list[Prompt]:
    """Prompts named by their content, so that the seed alone decides; a repeated one also by which time it is."""
    seen: Counter[str] = Counter()
    prompts = []
    for content in contents:
        name = content_hash(content)
        prompts.append(Prompt(id=f"{name}-{seen[name]}" if seen[name] else name, content=content))
        seen[name] += 1
    return prompts


def texts_of(tokenizer: Any, ids: Sequence[int]) -> tuple[str, ...]:
    """The text that each sampled token adds; joined they are the answer. The closing token adds nothing.

    A token that ends inside a letter adds nothing either: the letter comes with the token that completes it.
    """
    text = decode(tokenizer, ids)
    ends = [0]
    for count in range(1, len(ids) + 1):
        so_far = text if count == len(ids) else decode(tokenizer, ids[:count]).rstrip("\N{REPLACEMENT CHARACTER}")
        ends.append(max(ends[-1], min(len(so_far), len(text))))
    return tuple(text[start:end] for start, end in zip(ends, ends[1:], strict=False))


def starts(pieces: Sequence[str]) -> list[int]:
    return [sum(map(len, pieces[:place])) for place in range(len(pieces))]


def shortened(pieces: Sequence[str], length: int) -> tuple[str, ...]:
    """The pieces with the last one cut, so that they join to `length` letters."""
    before = sum(map(len, pieces[:-1]))
    return (*pieces[:-1], pieces[-1][: length - before]) if pieces else ()


def spelled(tokenizer: Any, text: str, ids: Sequence[int], *, special: bool = True) -> tuple[str, ...]:
    """The piece of `text` that each token stands for, white space going to the token after it."""
    if not text or not getattr(tokenizer, "is_fast", False):
        return tuple(tokenizer.convert_ids_to_tokens(list(ids)))
    spans = tokenizer(text, add_special_tokens=special, return_offsets_mapping=True)["offset_mapping"][: len(ids)]
    real = [place for place, (start, end) in enumerate(spans) if end > start]
    pieces, at = list(tokenizer.convert_ids_to_tokens(list(ids))), 0
    for place in real:
        end = len(text) if place == real[-1] else spans[place][1]
        pieces[place], at = text[at:end], max(at, end)
    return tuple(pieces)
