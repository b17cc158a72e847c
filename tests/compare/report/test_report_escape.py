import pytest
from rich.text import Text

from operant.compare.report import escape


@pytest.mark.parametrize(
    "raw, shown",
    [
        ("plain, höflich 漢", "plain, höflich 漢"),
        ("\x1b[31mred", "␛[31mred"),
        ("a\x00b\x7f", "a␀b␡"),
        ("\u202egnp", "‹U+202E›gnp"),
        ("a\u200bb\u2028c\x85", "a‹U+200B›b‹U+2028›c‹U+0085›"),
        ("\ud800", "‹U+D800›"),
        ("line\r\nnext\ttab\rback", "line\nnext\ttab␍back"),
        ("👩\u200d🔬", "👩\u200d🔬"),  # a joiner moves nothing
    ],
)
def test_visible(raw, shown):
    assert escape.visible(raw) == shown
    escape.visible(raw).encode("utf-8")


def test_markdown_loses_its_meaning():
    assert escape.markdown("![x](http://a) <b> |") == r"\!\[x\]\(http&#58;//a\) &lt;b&gt; \|"
    assert escape.markdown("@team\n# www.x") == r"&#64;team ⏎ \# www&#46;x"


def test_a_fence_is_longer_than_what_it_holds():
    # four backticks inside, so the fence has five
    assert escape.fenced("a ````\n```") == "`````text\na ````\n```\n`````"


def test_terminal_markup_is_text():
    hostile = "[link=http://a]x[/link][bold]\x1b]8;;http://a\x07"
    text = Text.from_markup(escape.terminal(hostile))
    assert text.plain == escape.one_line(hostile) and not text.spans


def test_shorten_keeps_both_ends():
    assert escape.shorten("abcdefghij", 5) == "ab…ij"
    assert escape.shorten("abc", 5) == "abc"
