"""The `melody` task: pieces in which a theme returns, and themes for which one is to be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from random import Random

from operant.data.demonstrated import Demonstrated
from operant.disk import content_hash
from operant.domains.music.chance import Writer, at_random
from operant.domains.music.compose import Style, compose
from operant.domains.music.metrics import LATE, METRICS, measured, returns
from operant.domains.music.notes import STEPS, Piece, first_theme
from operant.domains.music.tokens import Vocabulary
from operant.errors import require
from operant.models.loading import PLAIN, Loading
from operant.schema import Answer, Json, Judged, Prompt, Score, Split


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """The task's settings. Fixed before the first verification; their hash is part of every run's key."""

    style: Style = field(default_factory=Style)
    pieces: int = 400  # to learn from
    valid: int = 40
    test: int = 64
    flops: float = 5e12  # the ceiling


class Melodies(Demonstrated):
    """Prompts are themes, answers are pieces. Pieces to learn from are drawn anew for every seed; splits by piece."""

    name = "melody"
    subject = "music"
    metrics = METRICS
    offers = "pieces as demonstrations, and a measure of validation pieces"
    knobs_of, many = Knobs, "pieces"

    def drawn(self, split: Split, seed: int) -> Sequence[Judged]:
        """Pieces, each with its own first theme as the prompt."""
        return _pieces(self.knobs, split, seed)

    def gold(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> dict[str, list[Score]]:
        """The other theme is that of the next prompt."""
        usual = _usual(self.knobs)
        found = [
            measured(answer.value, prompt.content, other.content, usual=usual)
            for prompt, other, answer in zip(prompts, [*prompts[1:], *prompts[:1]], answers, strict=True)
        ]
        return {metric.name: [Score(value=one[metric.name]) for one in found] for metric in METRICS}

    def base(self, loading: Loading = PLAIN) -> Writer:
        """Legal tokens at random; it has no weights to load."""
        assert loading is not None
        return at_random(Vocabulary())

    def identity(self) -> Json:
        return {"task": self.name, "knobs": asdict(self.knobs)}

    def summary(self) -> dict[str, Json]:
        return {
            "train": self.knobs.pieces, "valid": self.knobs.valid, "test": self.knobs.test,
            "bars": self.knobs.style.bars, "returns of a theme after the fourth bar": round(_usual(self.knobs), 2),
        }  # fmt: skip


@lru_cache(maxsize=16)
def _pieces(knobs: Knobs, split: Split, seed: int) -> tuple[Judged, ...]:
    counts = {"train": knobs.pieces, "valid": knobs.valid, "test": knobs.test}
    require(split in counts, "split", split, "train, valid or test")
    return tuple(_judged(knobs, split, seed, place) for place in range(counts[split]))


def _judged(knobs: Knobs, split: Split, seed: int, place: int) -> Judged:
    piece = compose(Random(f"melody {split} {seed} {place}"), knobs.style)
    theme = first_theme(piece)
    columns = {"bars": piece.bars, "split": split}
    prompt = Prompt(id=content_hash([split, seed, place, str(theme)]), content=theme, columns=columns)
    return Judged(prompt=prompt, answer=Answer(value=piece))


@lru_cache(maxsize=16)
def _usual(knobs: Knobs) -> float:
    """Returns of a theme after the fourth bar, in the mean of 200 pieces."""
    counts = [_late_returns(compose(Random(f"melody usual {place}"), knobs.style)) for place in range(200)]
    return sum(counts) / len(counts)


def _late_returns(piece: Piece) -> int:
    return returns(first_theme(piece), [note for note in piece.notes if note.start >= LATE * STEPS])
