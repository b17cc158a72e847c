"""Which columns make which kind of row, and which of these layouts a file has."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, NamedTuple

from operant.data.codes import Flaw, shorten
from operant.data.files import UnreadableData
from operant.data.known import LAYOUTS, UNPAIRED, Layout
from operant.errors import BadValue, OperantError, UnknownName, require

OURS = (
    "prompt completion chosen rejected answer_1 answer_2 verdict label split baseline margin "
    "completions labels text messages target targets choices scores rater texts source score_chosen score_rejected "
    "strength score_1 score_2 conversations input system history"
).split()
BESIDE = frozenset({"target"})  # may be named for rows of every layout; kept as a column where the layout has none
MISSING = object()


class Fit(NamedTuple):
    """A layout bound to a row: our name for each column and the path where the row holds it."""

    layout: Layout
    paths: dict[str, str]


def parse_columns(text: str) -> dict[str, str]:
    """`ours=theirs,...` as a mapping. theirs may be a dotted path into objects and lists (answers.0.text)."""
    columns: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        ours, equals, theirs = (part.strip() for part in item.partition("="))
        if not equals or not theirs:
            raise BadValue("--columns", item, "ours=theirs, separated by commas, such as prompt=question")
        if ours in columns:
            raise BadValue(f"--columns {ours}", theirs, f"each name once; it already stands for {columns[ours]!r}")
        columns[ours] = theirs
    if not columns:
        raise BadValue("--columns", text, "ours=theirs, separated by commas, such as prompt=question")
    return check_columns(columns)


def check_columns(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Known names only, and together of at least one layout: a name without effect is refused."""
    given = dict(columns or {})
    for ours in given:
        if ours not in OURS:
            raise UnknownName("column of ours", ours, OURS)
    if "label" in given and "verdict" not in given and {"answer_1", "answer_2"} & given.keys():
        given["verdict"] = given.pop("label")
    if "targets" in given:
        require("target" not in given, "--columns", "target and targets", "one of the two: they mean the same")
        given["target"] = given.pop("targets")
    if not candidates(frozenset(given)):
        raise OperantError(f"--columns names {', '.join(given)}, which belong to no one layout; see docs/data.md")
    return given


@cache
def candidates(named: frozenset[str]) -> tuple[Layout, ...]:
    """The layouts that use every name that --columns gives; without any, those that use all but BESIDE."""
    found = tuple(layout for layout in LAYOUTS if named <= layout.needs.keys() | layout.optional.keys())
    return found or (candidates(named - BESIDE) if named & BESIDE else ())


def lookup(row: Mapping[str, Any], path: str) -> Any:
    """The value at a path, or MISSING. A column of exactly that name comes before the dotted reading."""
    if path in row:
        return row[path]
    if "." not in path:
        return MISSING
    value: Any = row
    for step in path.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 9 and int(step) < len(value):
            value = value[int(step)]
        else:
            return MISSING
    return value


def fit(row: Mapping[str, Any], layout: Layout, columns: Mapping[str, str]) -> Fit | None:
    """The layout's columns in this row, or None where one is missing."""
    paths: dict[str, str] = {}
    for wanted, needed in ((layout.needs, True), (layout.optional, False)):
        for ours, names in wanted.items():
            path = next((name for name in _names(ours, names, columns) if lookup(row, name) is not MISSING), None)
            if path is not None:
                paths[ours] = path
            elif needed or ours in columns:
                return None
    for ours in columns.keys() - layout.needs.keys() - layout.optional.keys():
        if lookup(row, columns[ours]) is MISSING:
            return None
        paths[ours] = columns[ours]
    return Fit(layout, paths)


def _names(ours: str, names: tuple[str, ...], columns: Mapping[str, str]) -> tuple[str, ...]:
    return (columns[ours],) if ours in columns else names


def best_fit(row: Mapping[str, Any], columns: Mapping[str, str]) -> Fit | None:
    """The row's own layout: the first that fits."""
    for layout in candidates(frozenset(columns)):
        found = fit(row, layout, columns)
        # A class name beside prompt and completion is just another column, unless --columns calls it the label.
        if found and (layout is not UNPAIRED or "label" in columns or _is_label(row["label"])):
            return found
    return None


def _is_label(value: object) -> bool:
    return value is None or str(value).strip().lower() in ("", "true", "false", "0", "1")


def choose(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, file: str) -> Layout:
    """The layout of most of these rows; the earlier one on a draw. Raises UnreadableData where none fits any row."""
    votes = Counter(found.layout.name for row in rows if (found := best_fit(row, columns)))
    if not votes:
        raise UnreadableData(_no_layout(rows, columns, file))
    name = votes.most_common(1)[0][0]
    return next(layout for layout in LAYOUTS if layout.name == name)


def _no_layout(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], file: str) -> str:
    has = list(dict.fromkeys(shorten(name) for row in rows for name in row))
    said = f"{file} fits no layout: its columns are {', '.join(has[:20]) or 'none'}{', ...' if len(has) > 20 else ''}"
    absent = [path for path in columns.values() if all(lookup(row, path) is MISSING for row in rows)]
    if absent:
        near = _near(absent[0], has)
        return f"{said}; --columns names {shorten(absent[0])!r}, which is in none of the first rows{near}"
    known = "; ".join(", ".join(names[0] for names in layout.needs.values()) for layout in LAYOUTS)
    names = ", ".join(OURS)
    return f"{said}. Name them with --columns ours=theirs,... (ours: {names}). Columns of the layouts: {known}"


def fit_or_flaw(row: Mapping[str, Any], layout: Layout, columns: Mapping[str, str]) -> Fit:
    """This row under the file's layout. Raises Flaw mixed_layout or missing_column."""
    best = best_fit(row, columns)
    if best is not None and best.layout is layout:
        return best
    if best is not None and not best.layout.needs.keys() < layout.needs.keys():
        raise Flaw("mixed_layout", f"the row reads as {best.layout.name!r}, most of the file as {layout.name!r}")
    if own := fit(row, layout, columns):
        return own
    ours, path = next(_missing(row, layout, columns))
    raise Flaw("missing_column", f"no column {shorten(path)!r}{_near(path, row)}", ours)


def _missing(row: Mapping[str, Any], layout: Layout, columns: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for ours, names in layout.needs.items():
        paths = _names(ours, names, columns)
        if all(lookup(row, path) is MISSING for path in paths):
            yield ours, paths[0]
    for ours, path in columns.items():
        if ours not in layout.needs and lookup(row, path) is MISSING:
            yield ours, path


def _near(path: str, names: Iterable[str]) -> str:
    near = get_close_matches(path, [shorten(name) for name in names], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
