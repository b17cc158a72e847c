"""A piece on disk and on a page, with a file to play, and what is said of a set of them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, get_args

from operant.data.represented import Properties
from operant.domains.music.midi import written
from operant.domains.music.notes import STEPS, Note, Piece, Region, intervals
from operant.errors import require
from operant.schema import Answer, Finish, Json

WIDE, HIGH = 4, 5  # pixels of a sixteenth, and of a semitone


def dump(answer: Answer) -> dict[str, Json]:
    """An answer as JSON: notes as [start, pitch, duration], regions as [first bar, bar after the last]."""
    piece = answer.value
    require(isinstance(piece, Piece), "value of an answer", piece, "a Piece")
    return {
        "text": f"{len(piece.notes)} notes in {piece.bars} bars, {len(piece.themes)} theme regions",
        "finish": answer.finish, "bars": piece.bars,
        "notes": [[note.start, note.pitch, note.duration] for note in piece.notes],
        "themes": [[one.first, one.end] for one in piece.themes],
    }  # fmt: skip


def load(stored: dict[str, Any]) -> Answer:
    """What `dump` gave."""
    finish: Any = stored.get("finish")
    require(finish in get_args(Finish), '"finish" of a stored piece', finish, f"one of {get_args(Finish)}")
    notes = tuple(Note(*(int(part) for part in one)) for one in stored["notes"])
    sound = all(0 <= note.pitch <= 127 and note.start >= 0 and note.duration >= 1 for note in notes)
    require(sound, '"notes" of a stored piece', "a note outside MIDI", "pitches 0 to 127, durations from 1")
    themes = tuple(Region(int(first), int(end)) for first, end in stored["themes"])
    return Answer(value=Piece(notes=notes, bars=int(stored["bars"]), themes=themes), finish=finish)


def show(answer: Answer) -> str:
    """A piano roll, theme regions shaded, and the piece as a MIDI file to play."""
    piece = answer.value
    lowest = min((note.pitch for note in piece.notes), default=60) - 1
    tall = (max((note.pitch for note in piece.notes), default=60) + 2 - lowest) * HIGH
    long = piece.bars * STEPS * WIDE
    shapes = [_box(one.first * STEPS, one.end * STEPS, 0, tall, "#c8501e", 0.18) for one in piece.themes]
    shapes += [f'<path d="M{bar * STEPS * WIDE} 0V{tall}" stroke="currentColor" stroke-opacity="0.2"/>'
               for bar in range(piece.bars + 1)]  # fmt: skip
    shapes += [
        _box(note.start, note.start + note.duration, tall - (note.pitch - lowest) * HIGH, HIGH, "#2a78b8", 0.9)
        for note in piece.notes
    ]
    said = dump(answer)["text"]
    return (
        f'<svg role="img" aria-label="{said}" viewBox="0 0 {long} {tall}" width="{long}" height="{tall}">'
        f'{"".join(shapes)}</svg><p><a download="piece.mid" href="data:audio/midi;base64,'
        f'{b64encode(written(piece.notes)).decode()}">{said}</a></p>'
    )


def _box(start: int, end: int, top: int, high: int, fill: str, opacity: float) -> str:
    return (
        f'<rect x="{start * WIDE}" y="{top}" width="{(end - start) * WIDE}" height="{high}" fill="{fill}" '
        f'fill-opacity="{opacity}"/>'
    )


def properties(answers: Sequence[Answer]) -> Properties:
    """Length in notes; different intervals over all intervals of the set's notes, by threes."""
    pieces = [answer.value for answer in answers]
    threes = [tuple(steps[at : at + 3]) for steps in (intervals(one.notes) for one in pieces)
              for at in range(len(steps) - 2)]  # fmt: skip
    return Properties(
        length=tuple(float(len(one.notes)) for one in pieces),
        diversity={"different_phrases": len(set(threes)) / len(threes) if threes else None},
    )
