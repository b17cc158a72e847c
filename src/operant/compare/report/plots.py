"""The report's figures: proxy against gold against KL, gold against cost, best-of-n, calibration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, log10, sqrt
from typing import Any, NamedTuple

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from operant.compare.report import digits
from operant.compare.report.canvas import SERIES, STAND_IN, axes, drawing, letters, svg
from operant.compare.report.labels import Named, place_labels
from operant.compare.report.view import BASE, Json, Line

ROOT_KL = "√KL to base (√nats)"
TONES = {"better": "better", "worse": "worse"}
MARKERS = {"bound": "<", "exact": "s"}


class Spot(NamedTuple):
    """A method in a scatter plot."""

    name: str
    x: float
    gold: digits.Cell
    tone: str
    marker: str


def root_kl(cell: digits.Cell) -> float | None:
    """√KL, where the KL is known at all. A KL estimated a little below zero counts as zero."""
    mean = digits.field(cell)
    return None if mean is None or cell is None or cell.get("kind") == "none" else sqrt(max(mean, 0.0))


def gold_against_kl(lined: Sequence[Line], gold: str) -> Markup | None:
    spots = _spots(lined, lambda line: root_kl(line.row.get("kl")), kinds=True)
    return _scatter("gold-kl", spots, ROOT_KL, gold)


def gold_against_training(lined: Sequence[Line], gold: str) -> Markup | None:
    spots = _spots(lined, lambda line: line.flops("training") or 0.0)
    return _scatter("gold-training", spots, "training FLOPs", gold, log=True)


def gold_against_serving(lined: Sequence[Line], gold: str) -> Markup | None:
    spots = _spots(lined, lambda line: line.flops("serving"))
    return _scatter("gold-serving", spots, "FLOPs to serve the test prompts", gold, log=True)


def _spots(lined: Sequence[Line], at: Callable[[Line], float | None], *, kinds: bool = False) -> list[Spot]:
    made = []
    for line in lined:
        x, gold = at(line), line.row.get("gold")
        if x is None or line.bad or digits.field(gold) is None:
            continue
        word = (line.against_base or {}).get("verdict", "")
        tone = "ink" if line.name == BASE else TONES.get(word, "same")
        marker = MARKERS.get((line.row.get("kl") or {}).get("kind", ""), "o") if kinds else "o"
        made.append(Spot(line.name, x, gold, tone, marker))
    return made


def _scatter(name: str, spots: list[Spot], xlabel: str, ylabel: str, *, log: bool = False) -> Markup | None:
    """Gold with its interval against something; None where fewer than two methods have both."""
    if len(spots) < 2:
        return None
    with drawing(name):
        ax = axes(360, 300)
        spots = _on_log_axis(ax, spots) if log else spots
        for spot in spots:
            _whisker(ax, spot.x, spot.gold, spot.tone, marker=spot.marker)
        ax.margins(0.08, 0.1)
        ax.set_xlabel(xlabel)
        ax.set_ylabel(ylabel, labelpad=4)
        named = [Named(spot.name, spot.x, spot.gold, spot.tone) for spot in spots]
        place_labels(ax, sorted(named, key=lambda point: point.name != BASE))
        return svg(ax, f"{ylabel} against {xlabel}")


def _on_log_axis(ax: Axes, spots: list[Spot]) -> list[Spot]:
    """Powers of ten as a plain axis, with a place of its own, left of all others, for what cost nothing."""
    spent = [log10(spot.x) for spot in spots if spot.x > 0]
    first, last = (min(spent), max(spent)) if spent else (0.0, 1.0)
    nothing = first - max(0.5, 0.25 * (last - first))
    marks = {tick: digits.flops(10**tick) for tick in _round_powers(first, last)}
    free = {nothing: "none"} if len(spent) < len(spots) else {}
    ax.set_xticks([*free, *marks], [*free.values(), *marks.values()])
    return [spot._replace(x=log10(spot.x) if spot.x > 0 else nothing) for spot in spots]


def _round_powers(first: float, last: float) -> list[float]:
    """Two to four round places between two powers of ten, as powers: 1, 2, 5, 10 or, over a long way, 1, 10, 100."""
    tens = range(floor(first), floor(last) + 1)
    fine, coarse = (
        [tick for ten in tens for step in steps if first <= (tick := ten + log10(step)) <= last]
        for steps in ((1, 2, 5), (1,))
    )
    chosen = fine if len(fine) <= 3 or len(coarse) < 2 else coarse[:: 1 + len(coarse) // 5]
    return chosen if len(chosen) > 1 else [first, last]


def _whisker(ax: Axes, x: float, cell: digits.Cell, tone: str, *, marker: str = "o") -> None:
    mean, low, high = _reach(cell)
    if low < high:
        ax.plot([x, x], [low, high], color=STAND_IN[tone], linewidth=1.5, alpha=0.45, solid_capstyle="round")
    ax.plot([x], [mean], marker, color=STAND_IN[tone], markersize=6.5, markeredgecolor=STAND_IN["page"])


def over_optimisation(curves: Sequence[Json], base: Line | None) -> list[tuple[Json, Markup]]:
    """One panel a method: gold solid (left), proxy dashed (right), both starting at base, over √KL.

    All panels share both scales, laid so that base and the largest gain of either stand at one height: where the two
    lines part, the proxy rewards what gold does not. A curve whose KL nobody knows is left out.
    """
    start = base.row if base else {}
    drawn = [(curve, _path(curve, start)) for curve in curves]
    drawn = [(curve, path) for curve, path in drawn if len(path) > 1]
    limits = {name: _limits([path for _, path in drawn], name, start.get(name)) for name in ("gold", "proxy")}
    farthest = max((path[-1][0] for _, path in drawn), default=1.0) or 1.0
    panels = []
    for index, (curve, path) in enumerate(drawn):
        with drawing(f"curve-{index}"):
            panels.append((curve, _panel(path, limits, farthest, curve["method"])))
    return panels


def _path(curve: Json, start: Json) -> list[tuple[float, Json]]:
    """(√KL, point) by growing KL, beginning at base."""
    points = [(x, point) for point in curve["points"] if (x := root_kl(point.get("kl"))) is not None]
    first = [(0.0, start)] if points and digits.field(start.get("gold")) is not None else []
    return first + sorted(points, key=lambda item: item[0])


def _limits(paths: list[list[tuple[float, Json]]], name: str, base: digits.Cell) -> tuple[float, float]:
    cells = [point.get(name) for path in paths for _, point in path]
    values = [value for cell in cells if (value := digits.field(cell)) is not None] or [0.0, 1.0]
    zero = digits.field(base)
    zero = min(values) if zero is None else zero
    gain = max(max(values) - zero, (zero - min(values)) / 2, 1e-9)
    return zero - 0.75 * gain, zero + 1.25 * gain


def _panel(path: list[tuple[float, Json]], limits: dict[str, Any], farthest: float, name: str) -> Markup:
    left = axes(340, 230, left=42, right=42)
    left.set_xlim(-0.03 * farthest, 1.05 * farthest)
    left.set_xlabel(ROOT_KL)
    right = left.twinx()
    for ax, what, dash in ((right, "proxy", (4, 2)), (left, "gold", None)):
        ax.set_ylim(*limits[what])
        ax.yaxis.set_major_locator(MaxNLocator(5))
        ax.tick_params(axis="y", labelcolor=STAND_IN[what])
        _line(ax, [(x, point.get(what)) for x, point in path], what, dash)
    left.set_zorder(right.get_zorder() + 1)
    _name_ends(left, right, path)
    return svg(left, f"{name}: gold and proxy against root KL")


def _line(ax: Axes, path: list[tuple[float, digits.Cell]], colour: str, dash: tuple[int, int] | None) -> None:
    """A line through the means, dots at them, and a band through the intervals."""
    dots = [(x, cell) for x, cell in path if digits.field(cell) is not None]
    if not dots:
        return
    xs = [x for x, _ in dots]
    means, lows, highs = zip(*(_reach(cell) for _, cell in dots), strict=True)
    ax.fill_between(xs, lows, highs, color=STAND_IN[colour], alpha=0.16, linewidth=0)
    style: Any = (0, dash) if dash else "-"
    ax.plot(xs, means, color=STAND_IN[colour], linewidth=2, linestyle=style, marker="o", markersize=3.5)


def _reach(cell: digits.Cell) -> tuple[float, float, float]:
    """Mean, low and high of a cell that has a mean; an end that nobody knows is the mean."""
    mean = digits.field(cell) or 0.0
    low, high = digits.field(cell, "low"), digits.field(cell, "high")
    return mean, mean if low is None else low, mean if high is None else high


def _name_ends(left: Axes, right: Axes, path: list[tuple[float, Json]]) -> None:
    """Writes gold and proxy at the ends of their lines: beside them where there is room, else above and below."""
    ends = []
    for ax, what in ((left, "gold"), (right, "proxy")):
        dots = [(x, value) for x, point in path if (value := digits.field(point.get(what))) is not None]
        if dots:
            low, high = ax.get_ylim()
            ends.append(((dots[-1][1] - low) / (high - low), dots[-1], ax, what))
    apart = abs(ends[0][0] - ends[-1][0])
    for sign, (_, (x, y), ax, what) in zip((1, -1), sorted(ends, key=lambda end: -end[0]), strict=False):
        room = x < 0.8 * ax.get_xlim()[1]
        offset = (7, sign * (7 if apart < 0.09 else 0)) if room else (0, sign * 8)
        beside = "center" if room else "bottom" if sign > 0 else "top"
        letters(ax, x, y, what, offset=offset, colour=what, ha="left" if room else "right", va=beside, weight="bold")


def best_of_n(series: Sequence[Json], gold: str) -> tuple[Markup, list[tuple[str, str, str]]] | None:
    """Gold of the answer that a scorer picks out of n, over n doublings; and the key: letter, colour, scorer."""
    paths = {each["method"]: [(log10(point["n"]), point.get("gold")) for point in each["points"]] for each in series}
    paths = {name: path for name, path in paths.items() if any(digits.field(cell) is not None for _, cell in path)}
    if not paths:
        return None
    key = [(chr(65 + index), SERIES[index % len(SERIES)], name) for index, name in enumerate(paths)]
    with drawing("best-of-n"):
        ax = axes(430, 300, right=26)
        counts = sorted({point["n"] for each in series for point in each["points"]})
        ax.set_xticks([log10(n) for n in counts], [str(n) for n in counts])
        for _, colour, name in key:
            _line(ax, paths[name], colour, None)
        ax.set_xlabel("n answers to pick from")
        ax.set_ylabel(gold)
        place_labels(ax, [Named(letter, *_end(paths[name]), colour) for letter, colour, name in key])
        return svg(ax, "gold of the best of n"), key


def _end(path: list[tuple[float, digits.Cell]]) -> tuple[float, digits.Cell]:
    """The last place where gold is known, without its interval: a letter may stand on the band."""
    x, mean = [(x, mean) for x, cell in path if (mean := digits.field(cell)) is not None][-1]
    return x, {"mean": mean}


def calibration(bins: Sequence[Json], name: str) -> Markup | None:
    """How often the judge was right, against how sure it was; dots as large as their share of the pairs."""
    points = [(digits.known(each.get("predicted")), digits.known(each.get("observed")), each["n"]) for each in bins]
    whole = [(x, y, n) for x, y, n in points if x is not None and y is not None and n]
    if not whole:
        return None
    most = max(n for _, _, n in whole)
    with drawing(f"calibration-{name}"):
        ax = axes(300, 280)
        ax.plot([0, 1], [0, 1], color=STAND_IN["muted"], linewidth=1, linestyle=(0, (2, 3)))
        ax.plot([x for x, _, _ in whole], [y for _, y, _ in whole], color=STAND_IN["one"], linewidth=1.5)
        for x, y, n in whole:
            ax.plot([x], [y], "o", color=STAND_IN["one"], markersize=3 + 5 * sqrt(n / most))
        ax.set_xlim(-0.02, 1.02)
        ax.set_ylim(-0.02, 1.02)
        ax.set_xlabel("predicted")
        ax.set_ylabel("observed")
        return svg(ax, f"calibration of {name}")
