"""A formula on disk and on a page, and what is said of a set of them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, get_args

from operant.data.represented import Properties
from operant.domains.symbolic.expression import Tree, checked, infix, tree
from operant.errors import require
from operant.schema import Answer, Finish, Json

MOST_VARIABLES = 99


def dump(answer: Answer) -> dict[str, Json]:
    """An answer as JSON: the formula as text and as tokens."""
    return {"text": infix(answer.value), "finish": answer.finish, "tokens": list(answer.value)}


def load(stored: dict[str, Any]) -> Answer:
    """What `dump` gave."""
    finish: Any = stored.get("finish")
    require(finish in get_args(Finish), '"finish" of a stored formula', finish, f"one of {get_args(Finish)}")
    return Answer(value=checked(stored["tokens"], variables=MOST_VARIABLES), finish=finish)


def show(answer: Answer) -> str:
    """The formula, typeset in MathML."""
    return f'<math display="block" alttext="{escape(infix(answer.value))}">{_typeset(tree(answer.value))}</math>'


def _typeset(one: Tree) -> str:
    token, parts = one
    if isinstance(token, int | float):
        return f"<mn>{token:.4g}</mn>"
    if not parts:
        return f"<msub><mi>{token[0]}</mi><mn>{token[1:]}</mn></msub>" if token[1:] else f"<mi>{escape(token)}</mi>"
    inside = [_typeset(part) for part in parts]
    if token == "div":
        return f"<mfrac>{_row(inside[0])}{_row(inside[1])}</mfrac>"
    if token == "pow":
        return f"<msup>{_bracketed(inside[0], parts[0])}{_row(inside[1])}</msup>"
    if token == "sqrt":
        return f"<msqrt>{inside[0]}</msqrt>"
    if token == "exp":
        return f"<msup><mi>e</mi>{_row(inside[0])}</msup>"
    if token in ("add", "sub"):
        right = inside[1] if token == "add" else _bracketed(inside[1], parts[1])
        return f"{inside[0]}<mo>{'+' if token == 'add' else '−'}</mo>{right}"
    if token == "mul":
        return f"{_bracketed(inside[0], parts[0])}<mo>⋅</mo>{_bracketed(inside[1], parts[1])}"
    if token == "neg":
        return f"<mo>−</mo>{_bracketed(inside[0], parts[0])}"
    return f"<mi>{token}</mi><mo>(</mo>{_row(inside[0])}<mo>)</mo>"


def _row(inside: str) -> str:
    return f"<mrow>{inside}</mrow>"


def _bracketed(inside: str, part: Tree) -> str:
    """In brackets where it is a sum, a difference or a negation."""
    loose = part.token in ("add", "sub", "neg") or isinstance(part.token, int | float) and part.token < 0
    return f"<mrow><mo>(</mo>{inside}<mo>)</mo></mrow>" if loose else _row(inside)


def properties(answers: Sequence[Answer]) -> Properties:
    """Length in tokens; the share of formulas that are different from all before."""
    formulas = [tuple(answer.value) for answer in answers]
    different = len(set(formulas)) / len(formulas) if formulas else None
    return Properties(length=tuple(float(len(one)) for one in formulas), diversity={"different": different})
