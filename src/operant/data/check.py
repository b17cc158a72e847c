"""The report on a file: every row counted, every problem with its line."""

from collections.abc import Mapping
from pathlib import Path

from operant.data.lengths import Measure
from operant.data.report import CheckReport
from operant.data.scan import scan
from operant.data.tally import Tally
from operant.data.tokens import load_encode
from operant.errors import require


def check(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    tokenizer: str | Path | None = None,
    max_length: int | None = None,
) -> CheckReport:
    """Read a whole file and say what is in it.

    Args:
        columns: our names to the file's (see docs/data.md); None tells the layout from the first usable rows.
        tokenizer: a folder with tokenizer.json; None counts characters.
        max_length: of prompt and answer together, in that unit; None cuts nothing.
    Raises: UnreadableData where the file cannot be read as any layout.
    """
    require(max_length is None or max_length >= 1, "max_length", max_length, "at least 1")
    measure = Measure(None if tokenizer is None else load_encode(tokenizer), max_length)
    source = scan(path, columns)
    tally = Tally(source, measure)
    for event in source.events:
        tally.add(event)
    return tally.report()
