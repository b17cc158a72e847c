"""The gate, positions in the theme, kept keys, what a pass costs, and finding a theme that nobody annotated."""

import os
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from operant.domains.music.compose import Style, compose
from operant.domains.music.midi import read
from operant.domains.music.notes import Note, Piece, Region, first_theme
from operant.domains.music.tasks.melody.task import Knobs, Melodies
from operant.domains.music.tokens import Vocabulary, labels
from operant.errors import BadValue, OperantError
from operant.meter import metered
from operant.methods.condition.theme_transformer import Config, composer
from operant.methods.condition.theme_transformer.learning import (
    Next,
    chances_of,
    padded,
    pass_flops,
    row_losses,
    row_of,
    theme_of,
)
from operant.methods.condition.theme_transformer.retrieval import (
    altered,
    clusters,
    features,
    passage_encoder,
    passages,
    with_theme,
)
from operant.schema import Decoding, Prompt
from operant.training.fit import fit
from operant.training.update import Schedule

ROOT = os.environ.get("OPERANT_TEST_DATA")
VOCABULARY = Vocabulary()
SMALL = {
    "width": 16,
    "heads": 2,
    "encoder_layers": 1,
    "exclusive": (False, True),
    "longest": 256,
    "learning_rate": 1e-3,
}
PIECES = [compose(Random(seed), Style()) for seed in range(4)]


def config(**settings):
    return Config(**{**SMALL, **settings})


def net(**settings):
    return config(**settings).net(VOCABULARY, seed=0).eval()


def row(piece=PIECES[0], **settings):
    return row_of(VOCABULARY, piece, longest=256, **settings)


def logits(made, own, marks=None):
    theme = theme_of([own.theme])
    marks = own.labels if marks is None else marks
    return made(torch.tensor([own.ids]), torch.tensor([marks]), made.read(theme), theme.mask)


def test_without_a_theme_region_the_output_is_independent_of_the_theme():
    made, own = net(), row()
    silent = [0] * len(own.ids)
    other = own._replace(theme=row(PIECES[1]).theme)
    assert torch.equal(logits(made, own, silent), logits(made, other, silent))
    assert not torch.equal(logits(made, own), logits(made, other))


def test_an_exclusive_layer_hears_the_theme_alone_where_the_gate_is_open():
    made, own = net(exclusive=(True,)), row()
    inside, outside = own.labels.index(4), next(at for at, one in enumerate(own.labels) if at > 20 and not one)
    changed = own._replace(ids=(own.ids[0], own.ids[1] + 1, *own.ids[2:]))  # an earlier token becomes another
    assert_close(logits(made, own)[0, inside], logits(made, changed)[0, inside], rtol=0, atol=0)
    assert not torch.equal(logits(made, own)[0, outside], logits(made, changed)[0, outside])


def test_occurrences_at_other_places_ask_the_theme_alike():
    # one exclusive layer, the same token with the same label at two places: equal outputs; not with absolute positions
    token, marks = [7] * 12, [0, 0, 1, 2, 3, 0, 0, 0, 1, 2, 3, 0]
    theme = theme_of([row().theme])
    for positions, same in (("theme", True), ("absolute", False)):
        made = net(exclusive=(True,), positions=positions)
        found = made(torch.tensor([token]), torch.tensor([marks]), made.read(theme), theme.mask)[0]
        assert torch.allclose(found[3], found[9], atol=1e-6) is same


def test_an_open_gate_hears_the_theme_everywhere():
    made, own = net(condition="open"), row()
    silent = [0] * len(own.ids)
    assert not torch.equal(logits(made, own, silent), logits(made, own._replace(theme=row(PIECES[1]).theme), silent))


def test_padding_of_themes_and_pieces_changes_nothing():
    made, own, longer = net(), row(), row(PIECES[1])
    both = theme_of([own.theme, (*own.theme, *own.theme)])
    ids, marks = padded([own.ids, longer.ids]), padded([own.labels, longer.labels])
    found = made(ids, marks, made.read(both), both.mask)[0, : len(own.ids)]
    assert_close(found, logits(made, own)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("condition", ["gated", "prefix"])
def test_the_loss_is_the_cross_entropy_of_every_token_after_the_first(condition):
    made, own = net(condition=condition), row()
    if condition == "prefix":
        found = prefixed(made, own)
    else:
        found = logits(made, own)
    each = -found[0, :-1].log_softmax(-1)[torch.arange(len(own.ids) - 1), list(own.ids[1:])]
    alone = row_losses(made, [own])
    assert_close(alone[0], each.sum())
    assert_close(row_losses(made, [own, row(PIECES[1])])[0], alone[0], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("condition", ["gated", "prefix"])
def test_a_pass_costs_what_torch_counts(condition):
    made, rows = net(condition=condition), [row(), row(PIECES[1])]
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted, metered() as cost:
        row_losses(made, rows).sum().backward()  # torch does not count the fused attention of a CPU
    assert cost.flops == pytest.approx(pass_flops(made, rows))
    assert cost.flops == pytest.approx(counted.get_total_flops(), rel=0.02)


def prefixed(made, own):
    ids = torch.tensor([[*own.theme, *own.ids]])
    return made(ids, torch.ones(1, ids.shape[1], ids.shape[1], dtype=torch.bool).tril())[:, len(own.theme) :]


@pytest.mark.parametrize("condition, whole", [("gated", logits), ("prefix", prefixed)])
def test_kept_keys_give_what_the_whole_piece_gives(condition, whole):
    made, own, beside = net(condition=condition), row(), row(PIECES[1])  # a longer or shorter theme beside it
    following = Next(made, VOCABULARY, [own.theme, (*beside.theme, *beside.theme)], temperature=1.0, top_p=1.0)
    wanted = whole(made, own)[0].double().softmax(-1).detach().numpy()
    for step in range(30):
        chances = following([own.ids[:step], beside.ids[:step]])[0]
        if step:
            legal = VOCABULARY.legal(own.ids[:step])
            assert chances[~legal].max() == 0
            assert chances[legal] == pytest.approx(wanted[step - 1][legal] / wanted[step - 1][legal].sum(), abs=1e-5)


def test_no_piece_stops_because_the_likeliest_tokens_are_illegal():
    made, own = net(), row()
    following = Next(made, VOCABULARY, [own.theme], temperature=1.0, top_p=1e-9)  # the likeliest token alone
    following([[]])
    for step in range(1, 20):
        chances = following([own.ids[:step]])[0]
        assert chances.sum() == pytest.approx(1) and chances[VOCABULARY.legal(own.ids[:step])].sum() == pytest.approx(1)


def test_a_piece_that_has_ended_does_not_disturb_the_others():
    made, one, two = net(), row(), row(PIECES[1])
    together = Next(made, VOCABULARY, [one.theme, two.theme], temperature=1.0, top_p=1.0)
    alone = Next(made, VOCABULARY, [two.theme], temperature=1.0, top_p=1.0)
    for step in range(25):
        both = together([one.ids[: min(step, 10)], two.ids[:step]])
        assert both[1] == pytest.approx(alone([two.ids[:step]])[0], abs=1e-5)


def test_nucleus_by_hand():
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    assert chances_of(logits, temperature=1.0, top_p=0.7).tolist()[0] == pytest.approx([0.5 / 0.8, 0.3 / 0.8, 0, 0])
    assert chances_of(logits, temperature=1.0, top_p=0.1).tolist() == [[1, 0, 0, 0]]
    assert chances_of(logits, temperature=0.0, top_p=0.9).tolist() == [[1, 0, 0, 0]]
    assert chances_of(logits, temperature=0.5, top_p=1.0)[0, 0] == pytest.approx(0.25 / (0.25 + 0.09 + 0.0225 + 0.0025))


def test_a_written_piece_begins_with_a_region_and_has_its_bars():
    prompts = Melodies(knobs=Knobs(test=3)).prompts("test")
    drawn = composer(net(), VOCABULARY, config()).answer(prompts, n=2, decoding=Decoding(), seed=0)
    for piece in (answer.value for many in drawn for answer in many if answer.finish == "stop"):
        assert piece.bars == 12
        assert piece.themes[0].first == 0


def test_a_row_moves_piece_and_theme_together():
    plain, moved = row(), row(shift=2)
    names = [VOCABULARY.names[one] for one in (*plain.theme, *plain.ids)]
    higher = [VOCABULARY.names[one] for one in (*moved.theme, *moved.ids)]
    for before, after in zip(names, higher, strict=True):
        pitch = before.startswith("pitch")
        assert after == (f"pitch_{int(before.split('_')[1]) + 2}" if pitch else before)


def test_labels_are_cut_with_the_piece():
    cut = row_of(VOCABULARY, PIECES[0], longest=30)
    assert list(cut.labels) == labels(VOCABULARY, row().ids)[:30] and len(cut.ids) == 30


@pytest.mark.parametrize("bad", [{"exclusive": ()}, {"heads": 3}, {"top_p": 0.0}, {"temperature": -1.0},
                                 {"condition": "prefix", "positions": "absolute"}])  # fmt: skip
def test_settings_that_cannot_be_are_refused(bad):
    with pytest.raises(BadValue):
        config(**bad)


def test_groups_by_density_by_hand():
    # on a line: 0, 1, 2 stand within 1 of a neighbour, 5 alone, 8 and 9 together
    at = np.array([0.0, 1.0, 2.0, 5.0, 8.0, 9.0])
    distances = np.abs(at[:, None] - at[None, :])
    assert clusters(distances, near=1.0, least=2) == [[0, 1, 2], [4, 5]]
    assert clusters(distances, near=1.0, least=3) == [[0, 1, 2]]
    assert clusters(distances, near=0.5, least=2) == []


def test_alterations_leave_a_passage_of_as_long_or_nearly():
    notes = passages(PIECES[0])[0]
    for seed in range(30):
        changed = altered(notes, Random(seed))
        assert abs(len(changed) - len(notes)) <= 1
        assert features(changed)


def test_a_theme_that_nobody_annotated_is_found():
    # themes of two bars that return exactly stand on even bars here
    style = Style(bars=12, transposed=0.0, varied=0.0)
    pieces = [compose(Random(seed), style) for seed in range(12)]
    encoder = passage_encoder(pieces, steps=150)
    theme = tuple(Note(at * 4, pitch, 4) for at, pitch in enumerate((60, 64, 67, 72, 71, 67, 64, 62)))
    between = tuple(Note(32 + at * 2, 60 + at % 3, 2) for at in range(16))
    other = tuple(Note(96 + at * 8, 72 - at, 8) for at in range(4))
    again = tuple(note.moved(steps=64) for note in theme)
    piece = Piece(notes=tuple(sorted((*theme, *between, *again, *other))), bars=8)
    assert with_theme(piece, encoder).themes == (Region(0, 2), Region(4, 6))


def test_pieces_without_a_theme_are_refused_with_the_reason():
    encoder = passage_encoder(PIECES, steps=5)
    with pytest.raises(OperantError, match="0 passages"):
        with_theme(Piece(notes=(), bars=8), encoder)
    with pytest.raises(OperantError, match="no passage .* comes back"):
        with_theme(PIECES[0], encoder, near=-1.0)


@pytest.mark.skipif(ROOT is None, reason="OPERANT_TEST_DATA is unset: no real data to read")
def test_songs_become_rows_that_are_learnt_and_a_held_out_theme_is_written_on(tmp_path):
    songs = [song(name) for name in ("801", "851", "353", "337")]
    encoder = passage_encoder(songs, steps=60)
    rows = [row_of(VOCABULARY, with_theme(one, encoder), longest=192) for one in songs]
    config = Config(width=32, heads=2, encoder_layers=1, exclusive=(False,), longest=256)
    net, held = config.net(VOCABULARY, seed=0), rows[-1:]
    before = float(row_losses(net, held).detach())

    def loss(part, whole):
        return row_losses(net, part) * len(whole) / sum(len(row.ids) - 1 for row in whole)

    fit(net, rows[:-1], loss, Schedule(steps=25, learning_rate=3e-3, batch_size=3), tmp_path)
    assert float(row_losses(net, held).detach()) < 0.85 * before
    theme = first_theme(with_theme(songs[-1], encoder))
    writer = composer(net, VOCABULARY, config)
    with pytest.raises(OperantError, match=r"prompt 'a' does not say how long its piece is; .*columns=\{'bars': 12\}"):
        writer.answer([Prompt(id="a", content=theme)], n=1, decoding=Decoding(), seed=0)
    asked = Prompt(id="a", content=theme, columns={"bars": 4})
    [[answer]] = writer.answer([asked], n=1, decoding=Decoding(), seed=0)
    assert answer.value.notes and VOCABULARY.encode(answer.value)  # a piece that can be played and written down


def song(name):
    """The melody of a POP909 song, on the sixteenths of its own beats."""
    folder = Path(ROOT) / "pop909" / name
    beats = [float(line.split()[0]) for line in (folder / "beat_midi.txt").read_text().splitlines()]
    return read(folder / f"{name}.mid", track="MELODY", beats=beats)
