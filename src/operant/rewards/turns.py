"""A reply with a user's next message behind it, as token ids: which of them are the message's own.

The whole text is tokenised once, and the message found by its characters: counting tokens from the end would take the
template's closing ones for the message's, and a message tokenised alone begins otherwise than one behind a reply.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from operant.errors import OperantError
from operant.models.text import Encoded
from operant.schema import Prompt

# The opening of a dialogue whose roles are swapped; the same in training and in scoring.
OPENING = "Please ask me a question. When I have answered it, tell me what you think of my answer."


@dataclass(frozen=True, kw_only=True)
class Turns:
    """How reply and message are put together."""

    swapped: bool = False  # the assistant asks and comments, the user replies: for a scorer that has learnt comments
    turn: str = "\n\n"  # before the message, in a text without roles
    max_length: int = 512  # tokens; of a longer text the beginning is left out


Row = tuple[Prompt, str, str]  # a prompt, a reply, and the message behind it


class Rendered(NamedTuple):
    """A text, and where in it, by characters, the message stands and the user's request begins."""

    text: str
    start: int
    end: int
    request: int
    special: bool  # whether the tokenizer still has to add its own tokens


class Placed(NamedTuple):
    """A text as ids, ending with the message."""

    row: Encoded  # the message's tokens as the answer
    behind: tuple[int, ...]  # what the template closes the message with
    cut: int  # tokens left out at the beginning
    request_cut: bool  # whether the user's request lost its own


def rendered(tokenizer: Any, prompt: Prompt, reply: str, message: str, turns: Turns) -> Rendered:
    """Text prompts as one text; conversations by the tokenizer's chat template, the message as the user's next turn.

    Raises: OperantError where the conversation does not end with the user, who is to be answered.
    """
    if isinstance(prompt.content, str):
        glue = "" if not reply or prompt.content[-1:].isspace() or reply[:1].isspace() else " "
        before = f"{prompt.content}{glue}{reply}{turns.turn}"
        return Rendered(before + message, len(before), len(before) + len(message), 0, special=True)
    request = asked_last(prompt)
    if turns.swapped:
        said = (("user", OPENING), ("assistant", request), ("user", reply), ("assistant", message))
        messages = [{"role": role, "content": content} for role, content in said]
    else:
        messages = [*map(dict, prompt.content), {"role": "assistant", "content": reply},
                    {"role": "user", "content": message}]  # fmt: skip
    if tokenizer is None or not tokenizer.chat_template:
        raise OperantError(
            f"prompt {prompt.id!r} is a conversation, and no chat template is known that says how its next turn is "
            "written; give prompts as text, or a model directory with chat_template.jinja"
        )
    text = str(tokenizer.apply_chat_template(messages, tokenize=False))
    start = text.rfind(message.strip())
    first = max(text.rfind(request.strip(), 0, start), 0)
    return Rendered(text, start, start + len(message.strip()), first, special=False)


def asked_last(prompt: Prompt) -> str:
    """The user's last message, which a reply answers."""
    last = prompt.content[-1] if prompt.content else {"role": "nobody"}
    if last["role"] != "user":
        raise OperantError(
            f"prompt {prompt.id!r} ends with a turn of {last['role']!r}; the reply is scored as the assistant's turn, "
            "so the turn before it has to be the user's"
        )
    return str(last["content"])


def placed(tokenizer: Any, rows: Sequence[Row], turns: Turns) -> list[Placed]:
    """Token ids of every row; a token that holds characters of both sides counts as the message's."""
    texts = [rendered(tokenizer, *row, turns) for row in rows]
    special = not texts or texts[0].special
    assert all(text.special == special for text in texts), "prompts are all texts, or all conversations"
    found = tokenizer([text.text for text in texts], add_special_tokens=special, return_offsets_mapping=True)
    both = zip(found["input_ids"], found["offset_mapping"], strict=True)
    return [_placed(*row, text, *one, turns) for row, text, one in zip(rows, texts, both, strict=True)]


def _placed(
    prompt: Prompt, _: str, message: str, text: Rendered, ids: Sequence[int], spans: Sequence[tuple[int, int]],
    turns: Turns,
) -> Placed:  # fmt: skip
    own = [at for at, (low, high) in enumerate(spans) if low < text.end and high > text.start and high > low]
    if not own:
        raise OperantError(f"the follow-up {message!r} has no token of its own behind the reply to {prompt.id!r}")
    first, last = own[0], own[-1] + 1
    cut = max(0, last - turns.max_length)
    asked = next((at for at, (low, high) in enumerate(spans) if high > text.request and high > low), 0)
    if cut >= first:
        raise OperantError(f"the follow-up {message!r} alone fills max-length {turns.max_length}; raise it")
    row = Encoded(tuple(ids[cut:first]), tuple(ids[first:last]))
    return Placed(row, tuple(ids[last:]), cut, cut > asked)
