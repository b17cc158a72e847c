"""Answers are hostile until shown otherwise: what a string may do to a page, a Markdown file or a terminal is nothing.

`visible` is for every way out; the page's autoescape, `markdown` and `terminal` come on top of it.
"""

from __future__ import annotations

import re
from unicodedata import category

from rich.markup import escape as escape_markup

JOINERS = "\u200c\u200d"  # Persian and emoji need them, and they move nothing
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()#+\-.!|~$^]")


def visible(text: str) -> str:
    """Every character that steers instead of showing, made to show: escapes, bidi overrides, invisible marks.

    Keeps newline and tab. ESC becomes ␛, U+202E becomes ‹U+202E›. The result can always be encoded as UTF-8.
    """
    text = text.replace("\r\n", "\n")
    return text if text.isascii() and text.isprintable() else "".join(map(_shown, text))


def _shown(char: str) -> str:
    code = ord(char)
    if char in "\n\t" or char in JOINERS:
        return char
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return f"‹U+{code:04X}›" if category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") else char


def one_line(text: str) -> str:
    """`visible`, with line breaks shown as ⏎, for table cells."""
    return visible(text).replace("\n", " ⏎ ").replace("\t", " ")


def shorten(text: str, length: int) -> str:
    """At most `length` characters; the middle is what goes, since row names differ at both ends."""
    head = (length - 1) // 2
    return text if len(text) <= length else f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def markdown(text: str) -> str:
    """Text for a Markdown line or table cell, without links, images, HTML, mentions or emphasis."""
    text = _MARKDOWN.sub(r"\\\g<0>", one_line(text))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
    return text.replace("://", "&#58;//").replace("www\\.", "www&#46;")  # GitHub links bare addresses


def fenced(text: str) -> str:
    """Text as a code block whose fence is longer than any run of backticks inside."""
    text = visible(text)
    ticks = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, ticks + 1)
    return f"{fence}text\n{text}\n{fence}"


def terminal(text: str) -> str:
    """Text for a rich renderable that reads markup: no control character, no tag, no link."""
    return escape_markup(one_line(text))
