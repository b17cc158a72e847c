"""Which columns make which kind of row, and which of these layouts a file has."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, NamedTuple

from operant.data.codes import Flaw, shorten
from operant.data.files import UnreadableData
from operant.data.records import Kind
from operant.errors import BadValue, OperantError, UnknownName

OURS = (
    "prompt completion chosen rejected answer_1 answer_2 verdict label split baseline margin "
    "completions labels text messages"
).split()
MISSING = object()


@dataclass(frozen=True, slots=True)
class Layout:
    """A kind of row: our names for its columns, each with the names that files use for it."""

    name: str
    kind: Kind
    needs: Mapping[str, tuple[str, ...]]

    @property
    def optional(self) -> tuple[str, ...]:
        return ("split", "margin", "baseline") if self.kind == "preference" else ("split",)


def _same(*names: str) -> dict[str, tuple[str, ...]]:
    return {name: (name,) for name in names}


UNPAIRED = Layout("prompt, completion, label", "unpaired", _same("prompt", "completion", "label"))
# The first layout that fits a row is that row's layout: those that say more come first.
LAYOUTS = (
    Layout(
        "AlpacaEval",
        "preference",
        {"prompt": ("instruction",), "answer_1": ("output_1",), "answer_2": ("output_2",), "verdict": ("preference",)},
    ),
    Layout(
        "prompt, answer_1, answer_2, verdict",
        "preference",
        _same("prompt", "answer_1", "answer_2") | {"verdict": ("verdict", "label")},
    ),
    Layout("prompt, chosen, rejected", "preference", _same("prompt", "chosen", "rejected")),
    Layout("chosen, rejected", "preference", _same("chosen", "rejected")),
    Layout("prompt, completions, labels", "stepwise", _same("prompt", "completions", "labels")),
    UNPAIRED,
    Layout("prompt, completion", "prompt_completion", _same("prompt", "completion")),
    Layout("messages", "messages", _same("messages")),
    Layout("prompt", "prompt_only", _same("prompt")),
    Layout("text", "text", _same("text")),
)


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
    if not candidates(frozenset(given)):
        raise OperantError(f"--columns names {', '.join(given)}, which belong to no one layout; see docs/data.md")
    return given


@cache
def candidates(named: frozenset[str]) -> tuple[Layout, ...]:
    """The layouts that use every name that --columns gives."""
    return tuple(layout for layout in LAYOUTS if named <= layout.needs.keys() | set(layout.optional))


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
    for ours, names in layout.needs.items():
        for path in _names(ours, names, columns):
            if lookup(row, path) is not MISSING:
                paths[ours] = path
                break
        else:
            return None
    for ours in layout.optional:
        path = columns.get(ours, ours)
        if lookup(row, path) is not MISSING:
            paths[ours] = path
        elif ours in columns:
            return None
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
    for ours in layout.optional:
        if ours in columns and lookup(row, columns[ours]) is MISSING:
            yield ours, columns[ours]


def _near(path: str, names: Iterable[str]) -> str:
    near = get_close_matches(path, [shorten(name) for name in names], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
