"""Notes, tokens, their grammar, files, drawings, and how far a theme comes back."""

import json
from random import Random

import numpy as np
import pytest

from operant.domains.music.chance import at_random
from operant.domains.music.compose import Style, compose
from operant.domains.music.metrics import best_match, edits, matches, measured, returns, variety
from operant.domains.music.midi import _delta, melody_of, read, written
from operant.domains.music.notes import STEPS, Note, Piece, Region, Theme, first_theme, intervals, spelled
from operant.domains.music.represent import dump, load, properties, show
from operant.domains.music.tokens import BAR, END, START, Vocabulary, checked_theme, labels
from operant.errors import BadValue, OperantError
from operant.schema import Answer, Decoding, Prompt

VOCABULARY = Vocabulary()
#   bar 0: C4 quarter, E4 quarter    bar 1: G4 half    bar 2: C4    bar 3: a fifth higher, the theme again
MOTIF = (Note(0, 60, 4), Note(4, 64, 4), Note(16, 67, 8))
PIECE = Piece(
    notes=(*MOTIF, Note(32, 60, 4), *(note.moved(steps=48, pitch=7) for note in MOTIF)),
    bars=5, themes=(Region(0, 2), Region(3, 5)),
)  # fmt: skip
THEME = Theme(MOTIF, 2)


def ids(*names):
    return [VOCABULARY.ids[name] for name in names]


def test_the_first_theme_is_counted_from_its_own_beginning():
    assert first_theme(PIECE) == THEME
    assert PIECE.bars_of(Region(3, 5)) == tuple(note.moved(pitch=7) for note in MOTIF)
    with pytest.raises(BadValue, match="at least one region"):
        first_theme(Piece(notes=MOTIF, bars=2))


def test_a_theme_is_spelled_bar_by_bar():
    assert str(THEME) == "C4:4 E4:4 | G4:8"
    assert spelled(Note(0, 61, 1)) == "C#4:1"


@pytest.mark.parametrize(
    "bad",
    [
        {"notes": (Note(4, 60, 1), Note(0, 60, 1)), "bars": 1},
        {"notes": (), "bars": 4, "themes": (Region(2, 4), Region(0, 1))},
        {"notes": (), "bars": 2, "themes": (Region(1, 3),)},
        {"notes": (), "bars": 2, "themes": (Region(1, 1),)},
    ],
)
def test_pieces_that_are_none_are_refused(bad):
    with pytest.raises(BadValue):
        Piece(**bad)


def test_a_piece_as_tokens_by_hand():
    motif = ids(START, BAR, "position_0", "pitch_60", "duration_4", "position_4", "pitch_64", "duration_4",
                BAR, "position_0", "pitch_67", "duration_8", END)  # fmt: skip
    assert VOCABULARY.encode_theme(THEME) == motif
    assert VOCABULARY.encode(PIECE)[: len(motif)] == motif


def test_labels_count_from_the_opening_mark_and_are_0_outside():
    # Bar, Position, Start, Bar, Position, End, Bar, Start, Bar, End
    some = ids(BAR, "position_0", START, BAR, "position_0", END, BAR, START, BAR, END)
    assert labels(VOCABULARY, some) == [0, 0, 1, 2, 3, 0, 0, 1, 2, 0]


@pytest.mark.parametrize("seed", range(10))
def test_every_piece_is_legal_and_comes_back_from_its_tokens(seed):
    piece = compose(Random(seed), Style())
    encoded = VOCABULARY.encode(piece)
    assert all(VOCABULARY.legal(encoded[:at])[one] for at, one in enumerate(encoded))
    assert VOCABULARY.decode(encoded) == piece


def kinds(*names):
    return {VOCABULARY.kinds[one] for one in np.flatnonzero(VOCABULARY.legal(ids(*names)))}


@pytest.mark.parametrize(
    "so_far, wanted",
    [
        ((), {BAR, START}),
        ((START,), {BAR}),
        ((BAR,), {BAR, START, "position"}),
        ((START, BAR), {BAR, END, "position"}),
        ((BAR, "position_0"), {"pitch"}),
        ((BAR, "position_0", "pitch_60"), {"duration"}),
        ((BAR, "position_0", "pitch_60", "duration_4"), {BAR, START, "pitch", "position"}),
        ((START, BAR, END), {BAR}),
    ],
)
def test_what_may_follow(so_far, wanted):
    assert kinds(*so_far) == wanted


def test_positions_go_up_within_a_bar_and_begin_anew_in_the_next():
    after = VOCABULARY.legal(ids(BAR, "position_4", "pitch_60", "duration_1"))
    assert not after[ids("position_4")[0]] and after[ids("position_5")[0]]
    assert VOCABULARY.legal(ids(BAR, "position_4", "pitch_60", "duration_1", BAR))[ids("position_0")[0]]


def test_notes_outside_the_vocabulary_are_named():
    with pytest.raises(OperantError, match="pitch 20 is outside the vocabulary: pitches 48 to 96"):
        VOCABULARY.encode(Piece(notes=(Note(0, 20, 1),), bars=1))


NOTE = (BAR, "position_0", "pitch_60", "duration_1")


@pytest.mark.parametrize("bad, why", [((START, BAR, END), "note"), (NOTE, "mark"), ((START, *NOTE), "mark")])
def test_themes_that_are_none_are_refused(bad, why):
    with pytest.raises(BadValue, match=why):
        checked_theme(VOCABULARY, ids(*bad), longest=100)


def test_a_theme_that_is_too_long_is_refused():
    with pytest.raises(BadValue, match="at most 5"):
        checked_theme(VOCABULARY, VOCABULARY.encode_theme(THEME), longest=5)


def test_themes_return_as_often_as_the_style_says():
    style = Style(bars=16, returns=(3, 3))
    for seed in range(20):
        piece = compose(Random(seed), style)
        assert len(piece.themes) == 4 and piece.themes[0] == Region(0, 2)
    exact = compose(Random(1), Style(transposed=0.0, varied=0.0))
    assert {piece for piece in map(exact.bars_of, exact.themes)} == {exact.bars_of(Region(0, 2))}


def test_edits_by_hand():
    assert edits([1, 2, 3], [1, 2, 3]) == 0
    assert edits([1, 2, 3], [1, 3]) == 1  # one left out
    assert edits([1, 2, 3], [4, 1, 2, 3]) == 1  # one put in
    assert edits([1, 2], [3, 4]) == 2


def test_a_theme_is_known_in_any_key_and_a_changed_note_costs_its_intervals():
    assert intervals(MOTIF) == [4, 3]
    assert best_match(THEME, [note.moved(pitch=5) for note in MOTIF]) == 1
    other = [Note(0, 60, 4), Note(4, 64, 4), Note(16, 66, 8)]  # intervals 4, 2: one of two is changed
    assert best_match(THEME, other) == 1 - 1 / 2
    assert best_match(THEME, []) == 0
    assert matches(Theme(MOTIF[:1], 1), MOTIF) == [1, 1, 1]  # one note has no interval to miss


def test_returns_do_not_overlap():
    row = [Note(4 * at, 60 + at, 4) for at in range(9)]  # steps of one: three such notes fit at seven places
    assert len(matches(Theme(tuple(row[:3]), 1), row)) == 7
    assert returns(Theme(tuple(row[:3]), 1), row) == 3  # at notes 0, 3 and 6


def test_metrics_by_hand():
    other = Theme((Note(0, 60, 4), Note(4, 59, 4), Note(8, 58, 4)), 1)
    late = Piece(notes=tuple(note.moved(steps=4 * STEPS) for note in MOTIF), bars=6)
    found = measured(late, THEME, other, usual=2.0)
    assert found == {"theme": 1.0, "other_theme": 0.0, "returns_off": 1.0, "variety": 3 / 6}  # empty bars are alike
    early = measured(Piece(notes=MOTIF, bars=6), THEME, other, usual=2.0)
    assert early["theme"] == 0  # the first four bars do not count


def test_variety_by_hand():
    assert variety(Piece(notes=(), bars=0)) == 0
    assert variety(PIECE) == 1.0


def test_a_file_by_hand():
    # one quarter of middle C: on at once, off 480 ticks later, which is 3 * 128 + 96
    data = written([Note(0, 60, 4)])
    assert data[:14] == b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xe0"
    assert b"\x00\x90\x3c\x5a" in data and bytes((0x83, 0x60, 0x80, 0x3C, 0)) in data
    assert int.from_bytes(data[18:22]) == len(data) - 22
    assert _delta(480) == bytes((0x83, 0x60)) and _delta(127) == b"\x7f" and _delta(0) == b"\x00"


def test_what_is_written_is_read(tmp_path):
    pytest.importorskip("symusic")
    (tmp_path / "piece.mid").write_bytes(written(PIECE.notes))
    assert read(tmp_path / "piece.mid").notes == PIECE.notes


def test_beats_say_where_sixteenths_are(tmp_path):
    pytest.importorskip("symusic")
    (tmp_path / "piece.mid").write_bytes(written(MOTIF, tempo=120))  # a beat takes half a second
    slow = [0.5 * beat for beat in range(20)]
    assert read(tmp_path / "piece.mid", beats=slow).notes == MOTIF
    twice = [0.25 * beat for beat in range(40)]
    assert [note.start for note in read(tmp_path / "piece.mid", beats=twice).notes] == [0, 8, 32]


def test_a_track_that_is_not_there_is_named_with_those_that_are(tmp_path):
    pytest.importorskip("symusic")
    (tmp_path / "piece.mid").write_bytes(written(MOTIF))
    with pytest.raises(OperantError, match="piece.mid has the tracks .* track="):
        read(tmp_path / "piece.mid", track="MELODY")


def test_a_melody_is_one_voice():
    chord = [Note(0, 60, 8), Note(0, 64, 8), Note(4, 62, 40)]
    assert melody_of(chord) == Piece(notes=(Note(0, 64, 4), Note(4, 62, 16)), bars=2)


def test_what_is_dumped_is_loaded():
    answer = Answer(value=PIECE, finish="stop")
    assert load(json.loads(json.dumps(dump(answer)))) == answer
    with pytest.raises(BadValue, match="pitches 0 to 127"):
        load({**dump(answer), "notes": [[0, 200, 1]]})


def test_a_drawing_has_notes_regions_and_a_file_to_play():
    drawn = show(Answer(value=PIECE))
    assert drawn.count("<rect") == len(PIECE.notes) + len(PIECE.themes)
    assert 'href="data:audio/midi;base64,TVRoZA' in drawn  # MThd


def test_properties_by_hand():
    about = properties([Answer(value=PIECE), Answer(value=PIECE)])
    assert about.length == (7.0, 7.0)
    assert about.diversity == {"different_phrases": 4 / 8}  # six intervals make four threes, twice the same


def test_the_base_writes_legal_pieces_of_the_bars_that_are_asked_for():
    prompts = [Prompt(id=str(at), content=THEME, columns={"bars": 3}) for at in range(4)]
    drawn = at_random(VOCABULARY).answer(prompts, n=2, decoding=Decoding(), seed=0)
    for piece in (answer.value for many in drawn for answer in many):
        assert piece.bars == 3
    alone = at_random(VOCABULARY).answer(prompts[2:3], n=2, decoding=Decoding(), seed=0)
    assert alone[0] == drawn[2]
