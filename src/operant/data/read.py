"""The rows of a file, one at a time, with the line each stands on. Bad rows come out as problems, never as crashes."""

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from operant.data.codes import Flaw, Problem, shorten
from operant.data.files import BOM, Stream, UnreadableData, open_data, require_file
from operant.data.parse import array_elements, decode, parse_object
from operant.data.row import Row
from operant.data.tables import read_table, table_form

MIB = 1024**2
LONG_LINE = MIB  # bytes; longer ones are noticed and still read
MAX_LINE = 64 * MIB  # bytes without the line feed; longer ones are skipped and are a problem of that row
MAX_ARRAY = 256 * MIB  # bytes; a JSON array is read whole, so it has a ceiling


@dataclass(frozen=True, slots=True)
class Line:
    number: int  # from 1
    raw: bytes  # with its line feed
    flaw: Flaw | None = None


def read_rows(path: Path) -> Iterator[Row]:
    """Every row of a file in order. Raises UnreadableData at once where the file is none of ours.

    Memory: one line of JSON Lines or CSV (at most MAX_LINE); one batch of Parquet or Arrow; a JSON array is held whole
    (at most MAX_ARRAY).
    """
    require_file(path)
    if table := table_form(path):
        return read_table(path, table)
    stream, form = open_data(path)
    read = {"jsonl": _jsonl, "array": _array, "csv": _csv}[form]
    return _closing(stream, read(stream, str(path)))


def _closing(stream: Stream, rows: Iterator[Row]) -> Iterator[Row]:
    with stream:
        yield from rows


def lines(stream: Stream, *, longest: int = MAX_LINE) -> Iterator[Line]:
    """Physical lines, split at LF alone. Broken gzip data ends them with one line that carries the flaw."""
    number = 0
    while True:
        number += 1
        try:
            raw = stream.readline(longest + 1)
            too_long = len(raw) > longest and not _skip_rest(stream, raw)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            yield Line(number, b"", gzip_flaw(error))
            return
        if not raw:
            return
        yield Line(number, b"" if too_long else raw, _over(longest) if too_long else None)


def _skip_rest(stream: Stream, raw: bytes) -> bool:
    """Read to the end of an over-long line. True where nothing was left, so that the line just fits."""
    if raw.endswith(b"\n"):
        return True
    while True:
        part = stream.readline(MIB)
        if not part or part.endswith(b"\n"):
            return False


def _over(longest: int) -> Flaw:
    return Flaw("line_too_long", f"the line is longer than {longest:,} bytes; one row may not be longer")


def _jsonl(stream: Stream, file: str) -> Iterator[Row]:
    crlf_seen = False
    for line in lines(stream):
        raw = line.raw.removeprefix(BOM) if line.number == 1 else line.raw
        if line.flaw is None and not raw.strip():
            continue  # a blank line is no row
        crlf = raw.endswith(b"\r\n") and not crlf_seen
        crlf_seen = crlf_seen or crlf
        notices = _layout_notices(line.raw, file, line.number, crlf=crlf)
        if line.flaw is not None:
            yield Row(line.number, None, line.flaw.at(file, line.number), notices)
        else:
            yield _row(raw, file, line.number, notices)


def _layout_notices(raw: bytes, file: str, number: int, *, crlf: bool) -> tuple[Problem, ...]:
    """What is odd about a line's bytes but harmless."""
    found = {
        "bom": number == 1 and raw.startswith(BOM),
        "crlf": crlf,
        "u2028": b"\xe2\x80\xa8" in raw or b"\xe2\x80\xa9" in raw or b"\xc2\x85" in raw,
        "long_line": len(raw) > LONG_LINE,
    }
    said = {
        "bom": "the file starts with a byte order mark; it is skipped",
        "crlf": "this line ends in CR LF; both are left out of the row",
        "u2028": "the row holds U+2028, U+2029 or U+0085; they stay in the text and end no line",
        "long_line": f"the line has {len(raw):,} bytes",
    }
    return tuple(
        Problem(code=code, file=file, line=number, column=None, problem=said[code])
        for code, is_so in found.items()
        if is_so
    )


def _row(raw: bytes, file: str, number: int, notices: tuple[Problem, ...]) -> Row:
    try:
        parsed = parse_object(decode(raw))
    except Flaw as flaw:
        return Row(number, None, flaw.at(file, number), notices, len(raw))
    if parsed.repeated is not None:
        said = f"the key {shorten(parsed.repeated)!r} stands twice; its last value is used"
        notices += (
            Problem(code="duplicate_key", file=file, line=number, column=shorten(parsed.repeated), problem=said),
        )
    return Row(number, parsed.value, None, notices, len(raw))


def _array(stream: Stream, file: str) -> Iterator[Row]:
    """Elements of a JSON array; `line` is the number of the element, from 1."""
    data, broken = _whole(stream, file)
    number = 0
    # surrogateescape keeps a bad byte inside its element: encoding back gives the same bytes, which `decode` refuses.
    for number, element in enumerate(array_elements(data.removeprefix(BOM).decode("utf-8", "surrogateescape")), 1):
        raw = element.encode("utf-8", "surrogateescape")
        bom = data.startswith(BOM) and number == 1
        yield _row(raw, file, number, _layout_notices(BOM + raw if bom else raw, file, number, crlf=False))
    if broken is not None:
        yield Row(number + 1, None, broken.at(file, number + 1))


def _whole(stream: Stream, file: str) -> tuple[bytes, Flaw | None]:
    """All bytes that can be had, and the flaw that ended them early."""
    data = bytearray()
    try:
        while part := stream.read1(MIB):
            data += part
            if len(data) > MAX_ARRAY:
                raise UnreadableData(f"{file} is a JSON array above {MAX_ARRAY // MIB} MiB; convert it to JSON Lines")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return bytes(data), gzip_flaw(error)
    return bytes(data), None


def gzip_flaw(error: Exception) -> Flaw:
    if isinstance(error, EOFError):
        return Flaw("truncated_gzip", "the gzip data ends here, before its end mark")
    return Flaw("corrupt_gzip", f"the gzip data is damaged here: {shorten(str(error), 80)}")


def _csv(stream: Stream, file: str) -> Iterator[Row]:
    """Rows of a CSV file under its header; every value is text. `line` is the line on which the row starts."""
    broken: list[Line] = []
    seen: list[Line] = []
    table = csv.reader(_texts(lines(stream), seen, broken), strict=True)
    header: list[str] | None = None
    while True:
        seen.clear()
        try:
            fields = next(table)
        except StopIteration:
            break
        except csv.Error as error:
            yield _bad_csv(file, seen, f"{shorten(str(error), 80)}; JSON Lines has no such limits")
            continue
        if header is None:
            header = fields
        elif fields:
            yield _csv_row(header, fields, file, seen)
    for line in broken:
        assert line.flaw is not None
        yield Row(line.number, None, line.flaw.at(file, line.number))


def _texts(physical: Iterable[Line], seen: list[Line], broken: list[Line]) -> Iterator[str]:
    """Lines as text for csv.reader; notes in `seen` which lines a row took, and in `broken` those that have none."""
    for line in physical:
        if line.flaw is not None:
            broken.append(line)
            continue
        seen.append(line)
        raw = line.raw.removeprefix(BOM) if line.number == 1 else line.raw
        yield raw.decode("utf-8", "surrogateescape")


def _bad_csv(file: str, seen: list[Line], said: str) -> Row:
    first = seen[0].number if seen else 1
    return Row(first, None, Flaw("bad_csv", f"the row that starts here is not CSV: {said}").at(file, first))


def _csv_row(header: list[str], fields: list[str], file: str, seen: list[Line]) -> Row:
    raw = b"".join(line.raw for line in seen)
    first = seen[0].number
    notices = _layout_notices(raw, file, first, crlf=False)
    try:
        decode(raw)
    except Flaw as flaw:
        return Row(first, None, flaw.at(file, first), notices, len(raw))
    if len(fields) != len(header):
        row = _bad_csv(file, seen, f"{len(fields)} fields where the header has {len(header)}")
        return Row(first, None, row.problem, notices, len(raw))
    return Row(first, dict(zip(header, fields, strict=True)), None, notices, len(raw))
