"""Cards are literals read from source, and row names carry settings."""

from __future__ import annotations

import pytest

from operant.card import Card, Claim, parse_row, read_card
from operant.errors import UnknownName
from operant.methods import card, load, slugs, sources


def test_a_row_is_a_slug_and_its_settings():
    assert parse_row("dpo") == ("dpo", {})
    assert parse_row("dpo:beta=0.3,points=2") == ("dpo", {"beta": 0.3, "points": 2})
    assert parse_row("tcr:transform=raw,epochs=None") == ("tcr", {"transform": "raw", "epochs": None})
    with pytest.raises(UnknownName, match="write dpo:key=value, got 'dpo:beta'"):
        parse_row("dpo:beta")


def test_a_setting_is_never_run():
    # Only literals are read: a call stays the text that it is.
    assert parse_row("dpo:beta=__import__('os')") == ("dpo", {"beta": "__import__('os')"})


def test_a_card_is_read_from_source_without_running_it(tmp_path):
    path = tmp_path / "method.py"
    path.write_text(
        "raise SystemExit('imported')\n"
        "METHOD = Method(Config, run, load, Card(slug='a', family='f', kind='method', paper='', title='t',"
        " claims=(Claim('reviews', 'quality', 'up', against='base', smallest=0.1),), tiny={'n': 2}))\n"
    )
    claim = Claim("reviews", "quality", "up", against="base", smallest=0.1)
    expected = Card(slug="a", family="f", kind="method", paper="", title="t", claims=(claim,), tiny={"n": 2})
    assert read_card(path) == expected


def test_a_card_must_be_literal(tmp_path):
    path = tmp_path / "method.py"
    path.write_text("Card(slug='a', family='f', kind='method', paper='', title=str(1))")
    with pytest.raises((KeyError, ValueError)):
        read_card(path)


def test_the_folder_is_the_registry():
    assert slugs() == sorted(slugs())
    for slug, path in sources().items():
        name = path.parent.name if path.stem == "__init__" else path.stem
        assert name.replace("_", "-") == slug
    with pytest.raises(UnknownName, match="no method named 'dp'; did you mean 'dpo'?"):
        card("dp")
    with pytest.raises(UnknownName, match="no method named 'dp'; did you mean 'dpo'?"):
        load("dp")
