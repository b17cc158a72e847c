"""Melodies in which a theme comes back, transposed or with a note changed, among other bars."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from operant.domains.music.notes import STEPS, Note, Piece, Region

SCALE = (0, 2, 4, 5, 7, 9, 11)  # major
RHYTHMS = ((4, 4, 4, 4), (4, 4, 8), (8, 4, 4), (2, 2, 4, 4, 4), (4, 2, 2, 8), (6, 2, 4, 4), (2, 2, 2, 2, 8), (8, 8))


@dataclass(frozen=True, kw_only=True)
class Style:
    """How pieces are written."""

    bars: int = 12
    theme_bars: int = 2
    returns: tuple[int, int] = (2, 3)  # how often the theme comes back, at least and at most
    transposed: float = 0.5  # share of returns in another place of the scale
    varied: float = 0.3  # share of returns with one pitch changed
    leap: int = 2  # widest step of a melody, in places of the scale


def compose(rng: Random, style: Style) -> Piece:
    """A piece: the theme first, then bars of its own kind with the theme among them."""
    key = rng.randrange(55, 66)
    theme = melody(rng, style.theme_bars, style)
    starts = placed(rng, style)
    notes, bar = list[Note](), 0
    while bar < style.bars:
        if bar in starts:
            now = theme if bar == 0 else changed(rng, theme, style)
            notes += sounding(now, key, bar)
            bar += style.theme_bars
        else:
            notes += sounding(melody(rng, 1, style), key, bar)
            bar += 1
    themes = tuple(Region(start, start + style.theme_bars) for start in starts)
    return Piece(notes=tuple(sorted(notes)), bars=style.bars, themes=themes)


def placed(rng: Random, style: Style) -> list[int]:
    """Bars at which the theme begins: 0, and as many more, a bar apart or further."""
    wanted, room = rng.randint(*style.returns), style.theme_bars + 1
    spare = style.bars - style.theme_bars - wanted * room
    gaps = sorted(rng.randint(0, max(0, spare)) for _ in range(wanted))
    return [0, *(style.theme_bars + 1 + at * room + gap for at, gap in enumerate(gaps))]


Steps = list[tuple[int, int, int]]  # (start, place in the scale, duration)


def melody(rng: Random, bars: int, style: Style) -> Steps:
    """Places in the scale, never a leap wider than the style's."""
    found, place = list[tuple[int, int, int]](), rng.randrange(7)
    for bar in range(bars):
        now = bar * STEPS
        for duration in rng.choice(RHYTHMS):
            found.append((now, place, duration))
            now += duration
            place = min(13, max(0, place + rng.choice([-1, 1]) * rng.randint(0, style.leap)))
    return found


def changed(rng: Random, theme: Steps, style: Style) -> Steps:
    """As it returns: moved within the scale, one pitch changed, or exact."""
    found = list(theme)
    if rng.random() < style.transposed:
        shift = rng.choice([-2, -1, 1, 2])
        found = [(start, place + shift, duration) for start, place, duration in found]
    if rng.random() < style.varied:
        at = rng.randrange(len(found))
        start, place, duration = found[at]
        found[at] = (start, place + rng.choice([-1, 1]), duration)
    return found


def sounding(steps: Steps, key: int, bar: int) -> list[Note]:
    """Notes of a key."""
    return [
        Note(bar * STEPS + start, key + 12 * (place // 7) + SCALE[place % 7], duration)
        for start, place, duration in steps
    ]
