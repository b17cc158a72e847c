"""One row of text as an object, or the Flaw that forbids it."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from operant.data.codes import Flaw, shorten

MAX_DEPTH = 64
# The closing quote may be missing: a string that never ends then takes the rest once, not once for each quote in it.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{},]', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class Parsed(NamedTuple):
    value: dict[str, Any]
    repeated: str | None  # a key that stands twice


def decode(raw: bytes) -> str:
    """UTF-8 text. Flaw bad_utf8 names the first byte at fault, counted from 1."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Flaw("bad_utf8", f"byte {error.start + 1} of the row is not UTF-8; save the file as UTF-8") from None


def parse_object(text: str) -> Parsed:
    """A JSON object from text. Stricter than Python's json: finite numbers only, bounded depth, whole characters."""
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise Flaw("deep_nesting", f"lists or objects are nested more than {MAX_DEPTH} deep")
    repeated: list[str] = []
    value = _loads(text, repeated)
    if not isinstance(value, dict):
        raise Flaw("not_object", f"expected an object with columns, got {_json_name(value)}")
    if _SURROGATE_ESCAPE.search(text):
        _require_whole_characters(value)
    return Parsed(value, repeated[0] if repeated else None)


def _loads(text: str, repeated: list[str]) -> Any:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            names = [name for name, _ in items]
            repeated.append(next(name for name in made if names.count(name) > 1))
        return made

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_float=_finite, parse_constant=_constant)
    except json.JSONDecodeError as error:
        early = error.msg.startswith("Unterminated string") or error.pos >= len(text.rstrip())
        code, what = ("truncated_json", "ends too early") if early else ("bad_json", "is not JSON")
        raise Flaw(code, f"the row {what}: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise Flaw("deep_nesting", "lists or objects are nested too deep") from None
    except ValueError:  # Python refuses to read an integer of more than 4,300 digits
        raise Flaw("bad_json", "the row holds an integer with thousands of digits") from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _constant(text)
    return number


def _constant(text: str) -> NoReturn:
    raise Flaw("non_finite", f"the number {shorten(text)} is not finite")


def _require_whole_characters(value: dict[str, Any]) -> None:
    for name, part in value.items():
        try:
            json.dumps([name, part], ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise Flaw("lone_surrogate", "half of a UTF-16 pair stands alone", shorten(name)) from None


def _json_name(value: object) -> str:
    names = {list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _depth(text: str) -> int:
    """How deep brackets nest outside strings; stops just above MAX_DEPTH."""
    depth = deepest = 0
    for match in _TOKEN.finditer(text):
        if match[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif match[0] in "]}":
            depth -= 1
        if deepest > MAX_DEPTH:
            break
    return deepest


def array_elements(text: str) -> Iterator[str]:
    """The texts of the elements of a JSON array, cut at its outer commas, so that a bad one costs only itself.

    What follows the closing bracket is yielded as one more text, and where the bracket never comes an empty one ends
    the list: both fail to parse, so that nothing vanishes.
    """
    start, depth = 0, 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in "[{":
            depth += 1
            start = match.end() if depth == 1 else start
        elif token in "]}" and depth:
            depth -= 1
        outer = depth == 1 and token == "," or depth == 0 and token == "]"
        if outer:
            element, start = text[start : match.start()], match.end()
            if token == "," or element.strip():
                yield element
        if depth == 0:
            break
    rest = text[start:].strip()
    if rest:
        yield rest
    if depth and rest[-1:] in ("", "}"):
        yield ""
