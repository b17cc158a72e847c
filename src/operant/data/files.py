"""What a file is, told from its name and its first bytes; what we do not read is refused by name."""

import gzip
import zlib
from io import BufferedReader
from pathlib import Path
from typing import Literal, TypeAlias

from operant.errors import OperantError

Format = Literal["jsonl", "array", "csv"]
Stream: TypeAlias = BufferedReader | gzip.GzipFile  # what both offer: readline, read1
SUFFIXES: dict[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
TABLE_SUFFIXES = (".parquet", ".arrow")
EXPECTED = "JSON Lines, a JSON array, CSV (each also as .gz), Parquet, Arrow or a dataset folder"
GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
HEAD_BYTES = 4096
# First bytes of what people hand over by mistake, or in disguise.
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive (or a torch checkpoint); unpack it first"),
    (b"PAR1", "Parquet inside gzip; decompress it first"),
    (b"ARROW1", "an Arrow file inside gzip; decompress it first"),
    (b"\xff\xff\xff\xff", "an Arrow stream inside gzip; decompress it first"),
    (b"BZh", "bzip2; decompress it first"),
    (b"\xfd7zXZ", "xz; decompress it first"),
    (b"\x28\xb5\x2f\xfd", "zstandard; decompress it first"),
    (b"\x89HDF", "HDF5, which is not read"),
    (b"SQLite format 3", "an SQLite database, which is not read"),
    (b"%PDF", "a PDF, which is not read"),
    (b"\xff\xfe", "UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16; save it as UTF-8"),
)


class UnreadableData(OperantError):
    """The file cannot be read as feedback at all."""


def open_data(path: Path) -> tuple[Stream, Format]:
    """The file's bytes, decompressed, and its format. Raises UnreadableData with the reason and the way out."""
    with path.open("rb") as stream:
        compressed = stream.read(2) == GZIP
    if path.suffix == ".gz" and not compressed:
        raise UnreadableData(f"{path} is named .gz but holds no gzip data; rename it, or compress it again")
    with _open(path, compressed=compressed) as stream:
        form = _format(path, _head(stream))
    # Opened afresh: a gzip stream that has failed once reports a quiet end the second time.
    return _open(path, compressed=compressed), form


def _open(path: Path, *, compressed: bool) -> Stream:
    return gzip.GzipFile(path, "rb") if compressed else path.open("rb")


def require_file(path: Path) -> None:
    """Raises UnreadableData where there is no regular file that can be opened and holds anything."""
    if path.is_dir():
        raise UnreadableData(f"{path} is a directory; expected one file: {EXPECTED}")
    if not path.exists():
        raise UnreadableData(f"{path} does not exist; expected {EXPECTED}")
    if not path.is_file():
        raise UnreadableData(f"{path} is not a regular file; save the data in a file first")
    try:
        path.open("rb").close()
    except OSError as error:
        raise UnreadableData(f"{path} cannot be opened: {error.strerror}") from error
    if path.stat().st_size == 0:
        raise UnreadableData(f"{path} is empty; expected at least one row")


def _head(stream: Stream) -> bytes:
    """The first bytes; none where gzip data is broken from the start."""
    try:
        return stream.read1(HEAD_BYTES)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return b""


def _format(path: Path, head: bytes) -> Format:
    disguise = _disguise(head)
    name = Path(path.stem) if path.suffix == ".gz" else path
    if name.suffix in TABLE_SUFFIXES and disguise is None:
        disguise = f"named {name.suffix}, but holds no such data; name it by what it holds"
    if disguise is not None:
        raise UnreadableData(f"{path} is {disguise}; expected {EXPECTED}")
    if name.suffix in SUFFIXES:
        return SUFFIXES[name.suffix]
    first = head.removeprefix(BOM).lstrip()[:1]
    if first == b"[":
        return "array"
    if first == b"{" or name.suffix == ".json":
        return "jsonl"
    raise UnreadableData(
        f"{path}: cannot tell what this file is from its name {name.suffix or 'without a suffix'!r}; "
        "name it .jsonl, .json or .csv (or .gz after one of these), .parquet or .arrow"
    )


def _disguise(head: bytes) -> str | None:
    """What the bytes really are, where they are no text of ours."""
    for signature, what in SIGNATURES:
        if head.startswith(signature):
            return what
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a Python pickle, which is never read: it can run code"
    if head[4:8] == bytes(4) and head[8:9] == b"{":
        return "a safetensors file: weights, not feedback"
    # One stray NUL is a damaged row; a tenth of all bytes is another kind of file.
    control = sum(byte < 9 or 13 < byte < 32 for byte in head)
    return "binary data" if control > len(head) / 10 else None
