"""A text answer on disk and on a page, whatever its subject."""

from __future__ import annotations

from html import escape
from typing import Any, get_args
from unicodedata import category

from operant.data.trees import Tree, dump_tree, load_tree, show_tree
from operant.errors import require
from operant.schema import Answer, Finish, Json


def dump(answer: Answer) -> dict[str, Json]:
    """An answer as JSON. Of its trace only a tree is kept: what else it holds is the decoder's own."""
    require(isinstance(answer.value, str), "value of a text answer", answer.value, "text")
    known = {"tokens": answer.tokens, "logps": answer.logps}
    kept: dict[str, Json] = {name: list(values) for name, values in known.items() if values is not None}
    tree = {"tree": dump_tree(answer.trace)} if isinstance(answer.trace, Tree) else {}
    return {"text": answer.value, "finish": answer.finish, **kept, **tree}


def load(stored: dict[str, Any]) -> Answer:
    """What `dump` gave, or any mapping with a "text"."""
    text, finish = stored.get("text"), stored.get("finish", "stop")
    require(isinstance(text, str), '"text" of a stored answer', text, "text")
    require(finish in get_args(Finish), '"finish" of a stored answer', finish, f"one of {get_args(Finish)}")
    tokens, logps, tree = stored.get("tokens"), stored.get("logps"), stored.get("tree")
    return Answer(
        value=text, finish=finish,
        tokens=None if tokens is None else tuple(tokens), logps=None if logps is None else tuple(logps),
        trace=None if tree is None else load_tree(tree),
    )  # fmt: skip


def show(answer: Answer) -> str:
    """An HTML fragment: the text, all of it as text, a mark where it was cut off, and the tree it was searched in.

    What steers instead of showing (control characters, bidi overrides) or cannot be encoded (lone surrogates) becomes
    U+FFFD.
    """
    cut = '<span class="cut" title="cut at the maximum length">…</span>' if answer.finish == "length" else ""
    tree = show_tree(answer.trace, _safe) if isinstance(answer.trace, Tree) else ""
    return f'<p class="answer">{_safe(str(answer.value))}{cut}</p>{tree}'


def _safe(text: str) -> str:
    return escape("".join("\ufffd" if _steers(char) else char for char in text))


def _steers(char: str) -> bool:
    kept = "\n\t\u200c\u200d"  # emoji and Persian need the joiners, and they move nothing
    return char not in kept and category(char) in ("Cc", "Cf", "Cs")
