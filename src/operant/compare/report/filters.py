"""What the page's templates may call: numbers as text, and the report's maps in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from operant.compare.report import digits, view
from operant.compare.report.escape import one_line, shorten, visible
from operant.compare.report.view import Line
from operant.compare.tasks import represent

TONES = {"better": "better", "worse": "worse", "failed": "failed", "not comparable": "unsure"}


def tone(verdict: str) -> str:
    """The class that colours a verdict."""
    return TONES.get(verdict, "same")


def mean(cell: digits.Cell, decimals: int) -> str:
    return digits.number(digits.field(cell), decimals)


def short(text: str, length: int) -> str:
    """The beginning of a text, on one line."""
    text = one_line(text)
    return text if len(text) <= length else text[: length - 1] + "…"


def middle(text: str, length: int) -> str:
    return shorten(one_line(text), length)


def assignments(settings: Mapping[str, Any] | None) -> str:
    """beta=0.1, lr=0.0001"""
    return ", ".join(f"{key}={plain(value)}" for key, value in sorted((settings or {}).items()))


def plain(value: Any) -> str:
    """A setting or a number of the data summary, without a rounding that hides anything of weight."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def keys(rows: Iterable[Any]) -> list[str]:
    """Columns of a list of maps, in the order in which they turn up."""
    return list(dict.fromkeys(key for row in rows if isinstance(row, Mapping) for key in row))


FILTERS: dict[str, Callable[..., Any]] = {
    "assignments": assignments, "cost": lambda value, name: digits.cost(name, value), "count": digits.count,
    "flops": digits.flops, "interval": digits.interval, "keys": keys, "kl": digits.kl, "mean": mean, "middle": middle,
    "number": digits.number, "p_value": digits.p_value, "percent": digits.percent, "plain": plain, "short": short,
    "times": digits.times, "tone": tone, "verdict": view.verdict,
}  # fmt: skip


def text_shown(answer: Mapping[str, Any]) -> Markup:
    """Text as text: what is hostile in it becomes visible."""
    return Markup('<div class="text" dir="auto">{}</div>').format(visible(str(answer["text"])))


def of_report(lines: Sequence[Line], *, subject: str = "text") -> dict[str, Callable[..., Any]]:
    """Filters that need to know the rest: serving against base, answers in the table's order, and how they are drawn.

    Drawings are made from the stored answer by the subject's own `show`: a report holds no markup.
    """
    base = view.find(lines, view.BASE)
    once = base.flops("serving") if base else None
    place = {line.name: index for index, line in enumerate(lines)}

    def serving(line: Line) -> str:
        """How often base's FLOPs, or the FLOPs themselves where base has none."""
        spent = line.flops("serving")
        return digits.times(spent / once) if spent is not None and once else digits.flops(spent)

    def ordered(answers: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """Base first, then as in the table."""
        return sorted(answers.items(), key=lambda item: (item[0] != view.BASE, place.get(item[0], len(place)), item[0]))

    def drawn(answer: Mapping[str, Any]) -> Markup:
        about = represent(subject)
        return Markup(about.show(about.load(dict(answer))))

    return {"serving": serving, "ordered": ordered, "shown": text_shown if subject == "text" else drawn}
