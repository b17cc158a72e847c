"""Rows into a file or a dataset folder: whole or absent, never half."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operant.data.codes import shorten
from operant.disk import content_hash, whole_directory, whole_file, write_json
from operant.errors import OperantError

if TYPE_CHECKING:
    import pyarrow as pa

Rows = Sequence[Mapping[str, Any]]
Container = Callable[[Path, Rows], None]
CSV_FIELD = 131_072  # characters; Python's own reader takes no longer field
GROUP_ROWS = 10_000  # of Parquet and Arrow, so that a reader need not hold the whole
ARROW_NAME = "data-00000-of-00001.arrow"


class Unwritable(OperantError):
    """This container cannot hold these rows."""


def container(path: Path) -> Container:
    """How a file of this name is written. Raises Unwritable for a name that says nothing."""
    name = path.name.removesuffix(".gz")
    suffix = Path(name).suffix
    texts = {".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _array, ".csv": _csv}
    if suffix in texts:
        return _text_writer(texts[suffix])
    whole: dict[str, Container] = {".parquet": _parquet, ".arrow": _arrow, "": _folder}
    if path.name == name and suffix in whole:
        return whole[suffix]
    raise Unwritable(
        f"{path}: cannot tell from {path.name!r} what to write; name it .jsonl, .json or .csv (or .gz after one of "
        "these), .parquet or .arrow, or without a suffix for a dataset folder"
    )


def write_rows(path: Path, rows: Rows) -> None:
    """Write rows in the container that the name says. What stands there is replaced only when all is written."""
    container(path)(path, rows)


def _text_writer(lines: Callable[[Rows], Iterator[str]]) -> Container:
    def write(path: Path, rows: Rows) -> None:
        with whole_file(path) as partial, partial.open("wb") as raw:
            # Without name and time stamp the same rows give the same bytes.
            out: Any = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if path.suffix == ".gz" else raw
            for line in lines(rows):
                out.write(line.encode("utf-8"))
            if out is not raw:
                out.close()
            raw.flush()
            os.fsync(raw.fileno())

    return write


def _json(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False)


def _jsonl(rows: Rows) -> Iterator[str]:
    return (_json(row) + "\n" for row in rows)


def _array(rows: Rows) -> Iterator[str]:
    yield "[\n"
    for at, row in enumerate(rows):
        yield (",\n" if at else "") + _json(row)
    yield "\n]\n"


def _csv(rows: Rows) -> Iterator[str]:
    """Every value as text; null as nothing. Raises Unwritable for what CSV cannot hold."""
    names = _names(rows)
    for values in (names, *([_cell(row.get(name), name) for name in names] for row in rows)):
        line = io.StringIO()
        csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(values)
        yield line.getvalue()


def _cell(value: object, name: str) -> str:
    if isinstance(value, (list, dict)):
        raise Unwritable(
            f"CSV holds plain text alone, and column {shorten(name)!r} holds a list or an object; turn messages into "
            "text with --as text, or write .jsonl or .parquet"
        )
    text = "" if value is None else str(value)
    if len(text) > CSV_FIELD:
        raise Unwritable(f"a field of {len(text):,} characters; CSV readers take {CSV_FIELD:,}: write .jsonl instead")
    return text


def _names(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def as_table(rows: Rows) -> pa.Table:
    """Rows as an Arrow table; a column that a row lacks is null. Raises Unwritable where a column mixes types."""
    import pyarrow as pa

    columns = {}
    for name in _names(rows):
        try:
            columns[name] = pa.array([row.get(name) for row in rows])
        except (pa.ArrowException, OverflowError) as error:
            raise Unwritable(
                f"column {shorten(name)!r} holds values of several types, and a table needs one: "
                f"{shorten(str(error), 120)}; write .jsonl instead"
            ) from None
    return pa.table(columns)


def _parquet(path: Path, rows: Rows) -> None:
    import pyarrow.parquet as pq

    table = as_table(rows)
    with whole_file(path) as partial:
        pq.write_table(table, partial, row_group_size=GROUP_ROWS, write_page_checksum=True)


def _arrow(path: Path, rows: Rows) -> None:
    import pyarrow as pa

    table = as_table(rows)
    with whole_file(path) as partial, pa.ipc.new_file(str(partial), table.schema) as writer:
        writer.write_table(table, max_chunksize=GROUP_ROWS)


def _folder(path: Path, rows: Rows) -> None:
    """What `datasets.Dataset.save_to_disk` writes, without the copy in a cache that making a Dataset costs."""
    import datasets
    import pyarrow as pa

    table = as_table(rows)
    features = datasets.Features.from_arrow_schema(table.schema)
    table = table.cast(features.arrow_schema)
    with whole_directory(path) as partial:
        with pa.ipc.new_stream(str(partial / ARROW_NAME), table.schema) as writer:
            writer.write_table(table, max_chunksize=GROUP_ROWS)
        datasets.DatasetInfo(features=features).write_to_directory(str(partial))
        write_json(partial / "state.json", _state([dict(row) for row in rows]))


def _state(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "_data_files": [{"filename": ARROW_NAME}],
        "_fingerprint": content_hash(rows, length=16),
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
