"""How far a given theme comes back in a piece, and that it is that theme and no other."""

from __future__ import annotations

from collections.abc import Sequence

from operant.domains.music.notes import STEPS, Note, Piece, Theme, intervals
from operant.schema import Metric

LATE = 4  # bars at the beginning that do not count: any prompt is remembered there
NEAR = 0.8  # similarity from which a place counts as the theme

METRICS = (
    Metric(name="theme", what="best match of the theme's intervals after the fourth bar, 0 to 1, in any key"),
    Metric(name="other_theme", direction="down", what="the same for the theme of another prompt"),
    Metric(
        name="returns_off", direction="down", what="times the theme comes back, off the mean of the pieces learnt from"
    ),
    Metric(name="variety", what="different bars over bars"),
)


def measured(piece: Piece, theme: Theme, other: Theme, *, usual: float) -> dict[str, float]:
    """Every metric of one piece.

    Args: usual: how often a theme comes back after the fourth bar in pieces of the task.
    """
    late = [note for note in piece.notes if note.start >= LATE * STEPS]
    return {
        "theme": best_match(theme, late),
        "other_theme": best_match(other, late),
        "returns_off": abs(returns(theme, late) - usual),
        "variety": variety(piece),
    }


def matches(theme: Theme, notes: Sequence[Note]) -> list[float]:
    """For each note, how alike the passage that begins there is to the theme: 1 - edits over the theme's intervals."""
    wanted, found = intervals(theme.notes), intervals(notes)
    size = len(wanted)
    if not size:
        return [1.0] * len(notes)
    return [1 - edits(wanted, found[at : at + size]) / size for at in range(max(0, len(found) - size + 1))]


def best_match(theme: Theme, notes: Sequence[Note]) -> float:
    return max(matches(theme, notes), default=0.0)


def returns(theme: Theme, notes: Sequence[Note]) -> int:
    """Places alike to the theme that do not overlap."""
    found, place, alike = 0, 0, matches(theme, notes)
    while place < len(alike):
        if alike[place] >= NEAR:
            found, place = found + 1, place + len(theme.notes)
        else:
            place += 1
    return found


def edits(one: Sequence[int], other: Sequence[int]) -> int:
    """Insertions, deletions and changes from one to the other (Levenshtein)."""
    row = list(range(len(other) + 1))
    for at, left in enumerate(one, 1):
        above, row[0] = row[0], at
        for place, right in enumerate(other, 1):
            above, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, above + (left != right))
    return row[-1]


def variety(piece: Piece) -> float:
    """Different bars over bars; 0 for a piece without any."""
    bars = {
        tuple(note.moved(steps=-bar * STEPS) for note in piece.notes if note.start // STEPS == bar)
        for bar in range(piece.bars)
    }
    return len(bars) / piece.bars if piece.bars else 0.0
