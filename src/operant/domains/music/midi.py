"""Standard MIDI files: written by ourselves, so that a page can hold one; read through symusic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from operant.domains.music.notes import STEPS, Note, Piece
from operant.errors import MissingExtra, OperantError

TICKS = 480  # a quarter
SIXTEENTH = TICKS // 4
VELOCITY = 90
PROGRAM = 0  # piano


def written(notes: Sequence[Note], *, tempo: int = 110) -> bytes:
    """A file of one track; tempo in quarters a minute."""
    events = [(note.start * SIXTEENTH, 1, note.pitch, VELOCITY) for note in notes]
    events += [((note.start + note.duration) * SIXTEENTH, 0, note.pitch, 0) for note in notes]
    track = b"\x00\xff\x51\x03" + round(60_000_000 / tempo).to_bytes(3) + bytes((0, 0xC0, PROGRAM))
    now = 0
    for time, sounds, pitch, velocity in sorted(events):
        track += _delta(time - now) + bytes((0x90 if sounds else 0x80, pitch, velocity))
        now = time
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + (6).to_bytes(4) + (0).to_bytes(2) + (1).to_bytes(2) + TICKS.to_bytes(2)
    return header + b"MTrk" + len(track).to_bytes(4) + track


def _delta(ticks: int) -> bytes:
    """A variable-length quantity: seven bits a byte, the highest bit set on all but the last."""
    found = [ticks & 0x7F]
    while ticks := ticks >> 7:
        found.append(ticks & 0x7F | 0x80)
    return bytes(reversed(found))


def read(path: Path, *, track: str | None = None, beats: Sequence[float] | None = None) -> Piece:
    """The melody of a track, every note moved to the nearest sixteenth; the track named, or the only one with notes.

    Of notes that begin together the highest is kept, and a note ends where the next begins.

    Args: beats: seconds of every beat, four to a bar, where the file's own clock does not say where bars are.
    """
    try:
        from symusic import Score
    except ImportError:
        raise MissingExtra("symusic", "music") from None
    score: Any = Score(path, ttype="second" if beats else "tick")
    tracks = [one for one in score.tracks if len(one.notes) and track in (None, one.name)]
    if len(tracks) != 1:
        names = [one.name for one in score.tracks]
        raise OperantError(f"{path.name} has the tracks {names}; say which one to read with track=")
    per_step = score.ticks_per_quarter * 4 / STEPS

    def step(time: float) -> int:
        if beats is None:
            return round(time / per_step)
        return round(float(np.interp(time, beats, np.arange(len(beats)))) * STEPS / 4)

    sounding = [Note(step(one.time), one.pitch, max(1, step(one.time + one.duration) - step(one.time)))
                for one in tracks[0].notes]  # fmt: skip
    return melody_of(sounding)


def melody_of(sounding: Sequence[Note]) -> Piece:
    """One voice over whole bars: of notes that begin together the highest, none longer than to the next, or a bar."""
    highest = {note.start: note for note in sorted(sounding)}
    starts = sorted(highest)
    room = [after - before for before, after in zip(starts, starts[1:], strict=False)] + [STEPS]
    notes = tuple(Note(at, highest[at].pitch, min(highest[at].duration, most, STEPS))
                  for at, most in zip(starts, room, strict=True))  # fmt: skip
    bars = 0 if not notes else (notes[-1].start + notes[-1].duration - 1) // STEPS + 1
    return Piece(notes=notes, bars=bars)
