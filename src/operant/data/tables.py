"""Rows of Parquet and Arrow, read in batches: never a whole table, never a copy on disk."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from operant.data.codes import Flaw, shorten
from operant.data.files import UnreadableData
from operant.data.row import Row

if TYPE_CHECKING:
    import pyarrow as pa

TableForm = Literal["parquet", "arrow_file", "arrow_stream"]
BATCH_ROWS = 256  # held as Python objects at one time
MAGIC: tuple[tuple[bytes, TableForm], ...] = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow_file"),
    (b"\xff\xff\xff\xff", "arrow_stream"),  # the mark before each message of a stream
)
SAID = {"parquet": "Parquet", "arrow_file": "an Arrow file", "arrow_stream": "an Arrow stream"}


def table_form(path: Path) -> TableForm | None:
    """What table a file holds by its first bytes; None for a file that is no table."""
    with path.open("rb") as stream:
        head = stream.read(8)
    return next((form for magic, form in MAGIC if head.startswith(magic)), None)


def read_table(path: Path, form: TableForm) -> Iterator[Row]:
    """Every row; `line` is its index from 1. Raises UnreadableData at once where the table cannot be opened.

    Damage further in ends the rows with one problem, `corrupt_table`. Memory: one batch of the file; Arrow is mapped.
    """
    import pyarrow as pa

    stack = ExitStack()
    try:
        batches = {"parquet": _parquet, "arrow_file": _arrow_file, "arrow_stream": _arrow_stream}[form](path, stack)
    except (pa.ArrowException, OSError, ValueError) as error:
        stack.close()
        raise UnreadableData(
            f"{path} is {SAID[form]}, but cannot be opened ({shorten(str(error), 120)}); it may be cut short: copy or "
            "write it again, or convert it to JSON Lines where it came from"
        ) from None
    return _rows(batches, str(path), stack)


def _parquet(path: Path, stack: ExitStack) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    # Checked where the file holds checksums, as what we write does.
    file = stack.enter_context(pq.ParquetFile(path, page_checksum_verification=True))
    return file.iter_batches(batch_size=BATCH_ROWS, use_threads=False)


def _arrow_file(path: Path, stack: ExitStack) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    reader = pa.ipc.open_file(stack.enter_context(pa.memory_map(str(path))))
    return _slices(reader.get_batch(at) for at in range(reader.num_record_batches))


def _arrow_stream(path: Path, stack: ExitStack) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    return _slices(iter(pa.ipc.open_stream(stack.enter_context(pa.memory_map(str(path))))))


def _slices(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield from (batch.slice(start, BATCH_ROWS) for start in range(0, batch.num_rows, BATCH_ROWS))


def _rows(batches: Iterator[pa.RecordBatch], file: str, stack: ExitStack) -> Iterator[Row]:
    import pyarrow as pa

    line = 0
    with stack:
        try:
            for batch in batches:
                for value in _values(batch):
                    line += 1
                    yield as_row(value, file, line, batch.nbytes // batch.num_rows)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            flaw = Flaw("corrupt_table", f"the table cannot be read from here on: {shorten(str(error), 120)}")
            yield Row(line + 1, None, flaw.at(file, line + 1))


def _values(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | Flaw]:
    """The rows of a batch, each as columns, or as the flaw of text that is not UTF-8."""
    import pyarrow as pa

    try:
        batch.validate(full=True)  # offsets of a hostile file may point anywhere; they are checked before they are used
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error):
            raise
        yield from (_one(batch.slice(at, 1)) for at in range(batch.num_rows))
        return
    yield from batch.to_pylist()


def _one(batch: pa.RecordBatch) -> dict[str, Any] | Flaw:
    import pyarrow as pa

    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error):
            raise
        return Flaw("bad_utf8", "a text of the row is not UTF-8")
    value: dict[str, Any] = batch.to_pylist()[0]
    return value


def as_row(value: dict[str, Any] | Flaw, file: str, line: int, size: int = 0) -> Row:
    """A row of a table. As in JSON, a number that is not finite is a problem of the row."""
    if isinstance(value, dict):
        name = next((name for name, part in value.items() if not _finite(part)), None)
        if name is None:
            return Row(line, value, size=size)
        value = Flaw("non_finite", "a number in this column is not finite", shorten(name))
    return Row(line, None, value.at(file, line), size=size)


def _finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list):
        return all(map(_finite, value))
    return not isinstance(value, dict) or all(map(_finite, value.values()))
