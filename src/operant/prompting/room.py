"""Whether a changed prompt still fits its model: cutting it would take away the very words that were added."""

from __future__ import annotations

from typing import Any

from operant.errors import NotApplicable, OperantError
from operant.models.text import encode_prompt
from operant.prompting.edits import Edit
from operant.schema import Prompt


def tokenizer_of(base: Any) -> Any:
    """The base's tokenizer; None where it is not known, as behind an endpoint."""
    try:
        return base.tokenizer
    except (AttributeError, NotApplicable):
        return None


def most_tokens(base: Any) -> int | None:
    """How many positions the base reads; None where nobody says."""
    try:
        return getattr(base.module.config.get_text_config(), "max_position_embeddings", None)
    except (AttributeError, NotApplicable):
        return None


def fitting(edit: Edit, base: Any) -> Edit:
    """The edit, which refuses a prompt that leaves no position for an answer. An endpoint's server says so itself."""
    tokenizer, most = tokenizer_of(base), most_tokens(base)
    if tokenizer is None or most is None:
        return edit

    def checked(prompt: Prompt) -> Prompt:
        changed = edit(prompt)
        length = len(encode_prompt(tokenizer, changed))
        if length >= most:
            raise OperantError(
                f"prompt {prompt.id!r} has {length} tokens once it is changed, and the model reads {most}; cut it by "
                f"at least {length - most + 1} tokens, or add less to it: nothing is cut here, for that would take "
                "away the first words"
            )
        return changed

    return checked
