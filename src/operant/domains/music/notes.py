"""Notes on a grid of sixteenths, and the regions of a piece in which its theme stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from operant.errors import require

STEPS = 16  # of a bar


@dataclass(frozen=True, order=True)
class Note:
    """One note; time is counted in sixteenths from the beginning."""

    start: int
    pitch: int  # MIDI number, 60 is middle C
    duration: int

    def moved(self, *, steps: int = 0, pitch: int = 0) -> Note:
        return Note(self.start + steps, self.pitch + pitch, self.duration)


@dataclass(frozen=True)
class Region:
    """Bars in which the theme stands, the last one excluded."""

    first: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Notes in order, over whole bars."""

    notes: tuple[Note, ...]
    bars: int
    themes: tuple[Region, ...] = ()

    def __post_init__(self) -> None:
        require(tuple(sorted(self.notes)) == self.notes, "notes", "out of order", "by start, then pitch")
        ends = [0, *(bar for region in self.themes for bar in (region.first, region.end)), self.bars]
        require(ends == sorted(ends), "themes", self.themes, f"regions in order, apart, within {self.bars} bars")
        require(all(one.first < one.end for one in self.themes), "themes", self.themes, "a bar long or more")

    def bars_of(self, region: Region) -> tuple[Note, ...]:
        """The region's notes, counted from its own beginning."""
        inside = [note for note in self.notes if region.first * STEPS <= note.start < region.end * STEPS]
        return tuple(note.moved(steps=-region.first * STEPS) for note in inside)


@dataclass(frozen=True)
class Theme:
    """What is to come back: notes counted from their own beginning."""

    notes: tuple[Note, ...]
    bars: int

    def __post_init__(self) -> None:
        require(self.notes, "theme", "no note", "at least one note")
        require(self.bars >= 1, "bars of a theme", self.bars, "at least 1")

    def __str__(self) -> str:
        """Bars apart; every note as name and length in sixteenths."""
        bars = [
            " ".join(spelled(note) for note in self.notes if note.start // STEPS == bar) for bar in range(self.bars)
        ]
        return " | ".join(bars)


NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def spelled(note: Note) -> str:
    """D4:2 is the D above middle C, an eighth long."""
    return f"{NAMES[note.pitch % 12]}{note.pitch // 12 - 1}:{note.duration}"


def first_theme(piece: Piece) -> Theme:
    """The notes of the first region: what the piece is asked for by."""
    require(piece.themes, "themes of a piece", "none", "at least one region")
    region = piece.themes[0]
    return Theme(piece.bars_of(region), region.end - region.first)


def intervals(notes: Sequence[Note]) -> list[int]:
    """Steps of pitch from each note to the next: the same in every key."""
    return [after.pitch - before.pitch for before, after in zip(notes, notes[1:], strict=False)]
