"""Every problem a row can have. The table in docs/data.md holds the same codes, and a test keeps it so."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["row", "notice"]

# "row": the row cannot be used. "notice": the row is kept as it is.
CODES: dict[str, tuple[Severity, str]] = {
    "bad_json": ("row", "not JSON"),
    "truncated_json": ("row", "JSON that ends too early"),
    "bad_utf8": ("row", "bytes that are not UTF-8"),
    "line_too_long": ("row", "a line above the hard limit of 64 MiB"),
    "deep_nesting": ("row", "lists or objects inside each other more than 64 deep"),
    "lone_surrogate": ("row", "half of a UTF-16 pair (\\ud800 to \\udfff alone), which no tokenizer can encode"),
    "not_object": ("row", "JSON, but not an object with columns"),
    "bad_csv": ("row", "a CSV row with broken quotes, or with more or fewer fields than the header"),
    "truncated_gzip": ("row", "the gzip data ends too early; what followed is lost"),
    "corrupt_gzip": ("row", "the gzip data is damaged; what followed is lost and rows before it may be altered"),
    "corrupt_table": ("row", "the Parquet or Arrow data is damaged, or a dataset breaks off; what followed is lost"),
    "missing_column": ("row", "a column that this layout needs is not there"),
    "mixed_layout": ("row", "the row has another layout than most of the file"),
    "wrong_type": ("row", "a column holds another type than its layout says"),
    "unequal_lengths": ("row", "two lists that belong together have different lengths"),
    "non_finite": ("row", "NaN or an infinite number"),
    "empty_prompt": ("row", "a prompt of nothing but white space"),
    "empty_answer": ("row", "an answer or text of nothing but white space"),
    "identical_pair": ("row", "both answers are the same"),
    "unknown_verdict": ("row", "a verdict that does not say who won"),
    "no_common_prompt": ("row", "no prompt column, and the two answers begin with no shared prompt"),
    "bom": ("notice", "the file starts with a byte order mark; it is skipped"),
    "crlf": ("notice", "lines end in CR LF; reported once, at the first such line"),
    "u2028": ("notice", "U+2028, U+2029 or U+0085 stands in the row; only LF ends a line here"),
    "long_line": ("notice", "a line above 1 MiB"),
    "duplicate_key": ("notice", "an object names a key twice; the last value is used"),
    "duplicate": ("notice", "the same row stands earlier in the file"),
    "contradiction": ("notice", "an earlier row has the same prompt and answers with the opposite verdict"),
    "shared_prompt": ("notice", "the prompt also stands in another split"),
    "prompt_repeated": ("notice", "both answers begin with the text of the prompt column; nothing is taken away"),
    "unknown_split": ("notice", "the split column names no split that we know; the row is split by its prompt"),
    "null_score": ("notice", "a completion has no score; it is left out of the row"),
    "identical_after_cut": ("notice", "the two answers are the same after the cut to the maximum length"),
    "not_listed": ("notice", "more problems than the report lists; all are counted"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong or odd at one row. Never quotes an answer: files may hold anything."""

    code: str  # a key of CODES
    file: str
    line: int | None  # physical line from 1; in a JSON array the number of the element from 1; None: the whole file
    column: str | None  # the column at fault, where there is one
    problem: str  # one sentence

    def __post_init__(self) -> None:
        assert self.code in CODES, self.code

    @property
    def severity(self) -> Severity:
        return CODES[self.code][0]

    def to_json(self) -> dict[str, str | int | None]:
        return {
            "code": self.code,
            "severity": self.severity,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "problem": self.problem,
        }


class Flaw(Exception):
    """Raised inside this room where a row cannot be used; the scan turns it into a Problem. Never reaches a user."""

    def __init__(self, code: str, problem: str, column: str | None = None):
        super().__init__(problem)
        self.code, self.problem, self.column = code, problem, column

    def at(self, file: str, line: int) -> Problem:
        return Problem(code=self.code, file=file, line=line, column=self.column, problem=self.problem)


def shorten(value: object, limit: int = 40) -> str:
    """A value for a message, at most `limit` characters, with nothing that a terminal would act on."""
    text = value if isinstance(value, str) else repr(value)
    head = text[: limit + 1]
    shown = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in head[:limit])
    return shown + ("..." if len(head) > limit else "")
