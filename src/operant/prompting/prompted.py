"""A generator that asks its base changed prompts. Nothing is trained; what is served costs the longer prompt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from operant.disk import read_json, write_json
from operant.engine.guided import mixed_kls
from operant.engine.mix import Part
from operant.errors import NotApplicable
from operant.models.text import encode
from operant.prompting.edits import Edit
from operant.schema import KL, Answer, Decoding, Generator, Json, Point, Prompt

FILE = "prompted.json"


class Prompted:
    """The base, asked `edit(prompt)` for every prompt; ids stay, and with them seeds and pairing.

    Args: about: what `edit` is made of, as JSON; a method reads it back with `about_of` and makes the edit again.
    """

    def __init__(self, base: Generator, edit: Edit, *, about: Json = None):
        self.base, self.edit, self.about = base, edit, about

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        return self.base.answer(self.edited(prompts), n=n, decoding=decoding, seed=seed)

    def edited(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        return [self.edit(prompt) for prompt in prompts]

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[tuple[float, ...]] | None:
        """Of the answers given the changed prompts."""
        return self.base.logps(self.edited(prompts), answers)

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        """KL(this base given the changed prompt || `base` given its own), exact per token along the answers."""
        try:
            ours: Any = self.base
            part, tokenizer, theirs = Part(ours.module), ours.tokenizer, base.module
        except (AttributeError, NotApplicable) as error:
            return KL(values=None, kind="none", why=str(error))
        changed, plain = encode(tokenizer, self.edited(prompts), answers), encode(tokenizer, prompts, answers)
        values = mixed_kls([part], [changed], theirs, plain, pad=tokenizer.pad_token_id)
        return KL(values=tuple(values), kind="estimate", why="exact per token, averaged over sampled answers")

    def points(self) -> list[Point]:
        return []

    def save(self, directory: Path) -> None:
        """What the edit is made of, and the base beside it."""
        write_json(directory / FILE, {"about": self.about})
        (directory / "base").mkdir(parents=True, exist_ok=True)
        self.base.save(directory / "base")


def about_of(directory: Path) -> Any:
    """What was given as `about` to the generator that was saved here."""
    return read_json(directory / FILE)["about"]
