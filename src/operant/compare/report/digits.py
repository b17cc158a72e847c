"""Numbers as people read them: as many digits as the interval supports, and a dash for what nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import floor, isfinite, log10
from statistics import median
from typing import Any, TypeAlias

Cell: TypeAlias = "Mapping[str, Any] | None"
NOTHING = "–"
MINUS = "\u2212"
KL_SIGN = {"estimate": "≈", "bound": "≤", "exact": "="}
_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")


def known(value: Any) -> float | None:
    """The number, or None where there is none or it is not finite."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if number else None


def field(cell: Cell, name: str = "mean") -> float | None:
    """One number of a metric cell; None where the cell or the number is missing."""
    return known(cell.get(name)) if cell else None


def halfwidth(cell: Cell) -> float | None:
    """Half the length of a cell's interval; None where there is no interval or it has no length."""
    low, high = field(cell, "low"), field(cell, "high")
    return None if low is None or high is None or high <= low else (high - low) / 2


def places(cells: Iterable[Cell]) -> int:
    """Decimals for a column of cells: those of the typical half-width's first digit, else three digits of the mean.

    A half-width that begins with 1 or 2 is worth a second digit: ±0.021, but ±0.06.
    """
    cells = list(cells)
    widths = [width for width in map(halfwidth, cells) if width]
    means = [abs(mean) for mean in map(field, cells) if mean]
    if not widths and not means:
        return 2
    if not widths:
        return min(4, max(0, 2 - floor(log10(median(means)))))
    width = median(widths)
    first = -floor(log10(width))
    return min(4, max(0, first + (width * 10**first < 3)))


def number(value: Any, decimals: int | None = None, *, signed: bool = False) -> str:
    """A plain number with a real minus sign; three significant digits unless `decimals` says otherwise."""
    got = known(value)
    if got is None:
        return NOTHING
    if decimals is None:
        decimals = 0 if got == 0 or abs(got) >= 1000 else min(6, max(0, 2 - floor(log10(abs(got)))))
    text = f"{got:+,.{decimals}f}" if signed else f"{got:,.{decimals}f}"
    text = text[1:] if text[0] in "+-" and not text.strip("+-0.,") else text  # no signed zero
    return text.replace("-", MINUS)


def interval(cell: Cell, decimals: int | None = None) -> str:
    """[low, high], or nothing where there is no interval."""
    if halfwidth(cell) is None:
        return ""
    digits = places([cell]) if decimals is None else decimals
    return f"[{number(field(cell, 'low'), digits)}, {number(field(cell, 'high'), digits)}]"


def plus_minus(cell: Cell, decimals: int | None = None) -> str:
    """mean ± half-width, for narrow places."""
    digits = places([cell]) if decimals is None else decimals
    width = halfwidth(cell)
    mean = number(field(cell), digits)
    return mean if width is None or mean == NOTHING else f"{mean} ± {number(width, digits)}"


def kl(cell: Cell, decimals: int | None = None) -> str:
    """The mean behind the sign of its kind: ≈ estimate, ≤ bound, = exact; a dash where it cannot be known."""
    mean = field(cell)
    sign = KL_SIGN.get(str(cell.get("kind", ""))) if cell else None
    return NOTHING if mean is None or sign is None else f"{sign} {number(mean, decimals)}"


def count(value: Any) -> str:
    """A count: 4,800 in full, 12.3 M from ten million on."""
    got = known(value)
    if got is None:
        return NOTHING
    return _prefixed(got) if abs(got) >= 1e7 else number(got, 0)


def flops(value: Any) -> str:
    """1.2 TFLOP."""
    got = known(value)
    if got is None:
        return NOTHING
    return "0" if got == 0 else _prefixed(got) + "FLOP"


def _prefixed(value: float) -> str:
    step = min(len(_PREFIXES) - 1, max(0, floor(log10(abs(value)) / 3)))
    if abs(value) / 1000**step >= 999.5 and step < len(_PREFIXES) - 1:  # would print as 1,000
        step += 1
    scaled = value / 1000**step
    whole = abs(scaled) >= 100 or abs(scaled - round(scaled)) < 1e-9
    return f"{number(scaled, 0 if whole else 1)} {_PREFIXES[step]}"


def percent(value: Any) -> str:
    got = known(value)
    return NOTHING if got is None else f"{number(100 * got, 0 if abs(got) >= 0.1 or got == 0 else 1)}%"


def times(value: Any) -> str:
    """A ratio: 1×, 1.4×, 17×."""
    got = known(value)
    return NOTHING if got is None else f"{number(got, 0 if got >= 10 or got == round(got) else 1)}×"


def p_value(value: Any) -> str:
    got = known(value)
    return NOTHING if got is None else "< 0.001" if got < 0.001 else number(got, 3)


def cost(name: str, value: Any) -> str:
    """A metered amount, by its name (`training/forward_flops`, `serving/labels`)."""
    return flops(value) if name.endswith("flops") else count(value)
