"""Pieces as tokens: bars, positions, notes, and marks where the theme begins and ends. And what may come next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from operant.domains.music.notes import STEPS, Note, Piece, Region, Theme
from operant.errors import OperantError, require

PAD, BAR, START, END = "pad", "bar", "theme_start", "theme_end"


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Ids of tokens, the pad first. A note is its position, its pitch and its duration."""

    low: int = 48  # lowest pitch
    high: int = 96  # highest
    longest: int = 16  # duration, in sixteenths

    @cached_property
    def names(self) -> tuple[str, ...]:
        positions = [f"position_{step}" for step in range(STEPS)]
        pitches = [f"pitch_{pitch}" for pitch in range(self.low, self.high + 1)]
        return (PAD, BAR, START, END, *positions, *pitches, *(f"duration_{d}" for d in range(1, self.longest + 1)))

    @cached_property
    def ids(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """What each id is: pad, bar, theme_start, theme_end, position, pitch or duration."""
        return tuple(name if name in (PAD, BAR, START, END) else name.split("_")[0] for name in self.names)

    @cached_property
    def values(self) -> tuple[int, ...]:
        """The number in each id's name; 0 where it has none."""
        return tuple(int(name.split("_")[1]) if name.split("_")[-1].isdigit() else 0 for name in self.names)

    def encode(self, piece: Piece) -> list[int]:
        """The piece; regions stand between their marks, which come before a bar."""
        opens, closes = ({getattr(one, side) for one in piece.themes} for side in ("first", "end"))
        ids = list[int]()
        for bar in range(piece.bars):
            ids += [self.ids[END]] * (bar in closes) + [self.ids[START]] * (bar in opens) + [self.ids[BAR]]
            ids += self._notes([note for note in piece.notes if note.start // STEPS == bar])
        return ids + [self.ids[END]] * (piece.bars in closes)

    def encode_theme(self, theme: Theme) -> list[int]:
        """Between its marks."""
        return self.encode(Piece(notes=theme.notes, bars=theme.bars, themes=(Region(0, theme.bars),)))

    def _notes(self, notes: Sequence[Note]) -> list[int]:
        ids, position = list[int](), -1
        for note in notes:
            if note.start % STEPS != position:
                position = note.start % STEPS
                ids.append(self.ids[f"position_{position}"])
            ids += [self._id(f"pitch_{note.pitch}"), self._id(f"duration_{note.duration}")]
        return ids

    def _id(self, name: str) -> int:
        if name not in self.ids:
            known = f"pitches {self.low} to {self.high}, durations 1 to {self.longest} sixteenths"
            raise OperantError(f"{name.replace('_', ' ')} is outside the vocabulary: {known}")
        return self.ids[name]

    def decode(self, ids: Sequence[int]) -> Piece:
        """The piece of legal tokens; a region or a note that is not finished is left out or ends with the piece."""
        bar, position, pitch = -1, 0, 0
        notes, themes, opened = list[Note](), list[Region](), -1
        for one in ids:
            kind, value = self.kinds[one], self.values[one]
            if kind == BAR:
                bar, position = bar + 1, 0
            elif kind == "position":
                position = value
            elif kind == "pitch":
                pitch = value
            elif kind == "duration":
                notes.append(Note(bar * STEPS + position, pitch, value))
            elif kind == START:
                opened = bar + 1
            elif kind == END and bar + 1 > opened >= 0:
                themes.append(Region(opened, bar + 1))
                opened = -1
        if 0 <= opened <= bar:
            themes.append(Region(opened, bar + 1))
        return Piece(notes=tuple(sorted(set(notes))), bars=max(bar + 1, 0), themes=tuple(themes))

    @cached_property
    def _masks(self) -> dict[str, NDArray[np.bool_]]:
        kinds = np.array(self.kinds)
        return {kind: kinds == kind for kind in set(self.kinds)}

    def legal(self, ids: Sequence[int]) -> NDArray[np.bool_]:
        """[ids]: what may follow.

        A bar after a mark, a pitch after a position, a duration after a pitch; positions of a bar go up; a mark opens
        outside a region and closes inside one.
        """
        masks, last = self._masks, self.kinds[ids[-1]] if ids else ""
        inside = bool(labels(self, ids)[-1]) if ids else False
        if last in (START, END):
            return masks[BAR]
        if last == "position":
            return masks["pitch"]
        if last == "pitch":
            return masks["duration"]
        if not ids:
            return masks[BAR] | masks[START]
        found = masks[BAR] | masks[END if inside else START]
        if last == "duration":
            found = found | masks["pitch"]
        here = next((self.values[one] for one in reversed(ids) if self.kinds[one] in ("position", BAR)), 0)
        fresh = last == BAR
        return found | (masks["position"] & (np.array(self.values) > (-1 if fresh else here)))


def labels(vocabulary: Vocabulary, ids: Sequence[int]) -> list[int]:
    """For each token its place in the theme's region, the opening mark being 1; 0 outside and at the closing mark.

    A function of the tokens so far alone, so that it can be kept up to date while sampling.
    """
    found, place = list[int](), 0
    for one in ids:
        kind = vocabulary.kinds[one]
        place = 1 if kind == START else 0 if kind == END or not place else place + 1
        found.append(place)
    return found


def checked_theme(vocabulary: Vocabulary, ids: Sequence[int], *, longest: int) -> list[int]:
    """Tokens of one theme, refused with the reason where they are none."""
    kinds = [vocabulary.kinds[one] for one in ids]
    require("duration" in kinds, "theme", "no note", "at least one note")
    once = kinds.count(START) == kinds.count(END) == 1 and kinds[0] == START and kinds[-1] == END
    require(once, "marks of a theme", [kind for kind in kinds if kind in (START, END)], "one at each end")
    require(len(ids) <= longest, "tokens of a theme", len(ids), f"at most {longest}")
    return list(ids)
