"""One small figure as inline SVG: drawn by matplotlib, coloured and lettered by the page's style sheet.

A colour here is a name of the style sheet. Matplotlib is given a stand-in that occurs nowhere else, and the stand-in
becomes `var(--name)`, so that one drawing serves light and dark.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from operant.compare.report.escape import one_line

COLOURS = ("ink", "muted", "rule", "page", "gold", "proxy", "better", "worse", "same", "one", "two", "three", "four")
STAND_IN = {name: f"#f1{index:02x}e7" for index, name in enumerate(COLOURS)}
SERIES = ("one", "two", "three", "four")
SIZE = 11  # of the letters, in the figure's pixels
_STYLE: Any = {
    "axes.facecolor": "none", "figure.facecolor": "none",
    "svg.fonttype": "none", "text.parse_math": False, "axes.unicode_minus": True, "font.size": SIZE,
    "axes.edgecolor": STAND_IN["rule"], "axes.labelcolor": STAND_IN["muted"], "text.color": STAND_IN["ink"],
    "xtick.color": STAND_IN["rule"], "ytick.color": STAND_IN["rule"], "xtick.labelcolor": STAND_IN["muted"],
    "ytick.labelcolor": STAND_IN["muted"], "axes.spines.top": False, "axes.spines.right": False,
    "axes.labelsize": SIZE, "xtick.labelsize": SIZE - 1, "ytick.labelsize": SIZE - 1, "xtick.major.size": 3,
    "ytick.major.size": 0, "axes.linewidth": 1, "grid.color": STAND_IN["rule"], "grid.linewidth": 0.7,
}  # fmt: skip
_CLEANING = (
    (r"<metadata>.*?</metadata>|<style.*?</style>", ""),
    (r'<g id="[^"]*"', "<g"),  # the same on every figure of a page
    (r'(style="[^"]*?font-size: [\d.]+px); font-family: [^;"]*', r"\1"),
    (r"\n\s*", " "),
)


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """Our style while a figure is drawn and written; `name` keeps the ids of two figures on a page apart."""
    with matplotlib.rc_context(_STYLE | {"svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's own fonts draw the letters
        yield


def axes(width: int, height: int, *, left: int = 46, right: int = 12, bottom: int = 40) -> Axes:
    """Axes with fixed margins in pixels, on a figure of their own."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    FigureCanvasSVG(figure)
    top = 10
    inside = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    made = figure.add_axes(inside)
    made.grid(visible=True, axis="y")
    made.set_axisbelow(True)
    return made


def letters(ax: Axes, x: float, y: float, text: str, **how: Any) -> None:
    """A label at a point in data coordinates, moved by `offset` pixels; the text is only ever text."""
    offset = how.pop("offset", (0, 0))
    how["color"] = STAND_IN[how.pop("colour", "ink")]
    ax.annotate(one_line(text), (x, y), xytext=offset, textcoords="offset points", parse_math=False, **how)


def svg(ax: Axes, description: str) -> Markup:
    """The figure as an <svg> element that follows the page's colours, letters and width."""
    stream = StringIO()
    canvas = ax.figure.canvas
    assert isinstance(canvas, FigureCanvasSVG)
    canvas.print_svg(stream, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    head, body = stream.getvalue().split("<svg", 1)[1].split(">", 1)
    box = re.search(r'viewBox="[\d. ]+"', head)
    assert box, "matplotlib writes a viewBox"
    for pattern, instead in _CLEANING:
        body = re.sub(pattern, instead, body, flags=re.S)
    for name, stand_in in STAND_IN.items():
        body = body.replace(stand_in, f"var(--{name})")
    label = Markup('<svg class="plot" role="img" aria-label="{}" ').format(one_line(description))
    return label + Markup(box[0] + ">" + body.strip())
