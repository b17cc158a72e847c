"""What is counted on the way through a file. Memory: hashes and counts, never the rows."""

from collections import Counter

from operant.data.codes import CODES, Problem, Severity
from operant.data.identity import content_bytes, content_hash
from operant.data.lengths import Measure
from operant.data.records import Record, SplitName
from operant.data.report import CheckReport
from operant.data.scan import Event, Scan
from operant.data.verdicts import Outcome

LISTED = 1000  # problems of each severity that are kept with their line; all are counted


class Tally:
    """Takes events one by one; `report()` may be asked for at any time."""

    def __init__(self, source: Scan, measure: Measure) -> None:
        self._source = source
        self._measure = measure
        self._rows = self._kept = 0
        self._problems: list[Problem] = []
        self._counts: Counter[str] = Counter()
        self._listed: Counter[Severity] = Counter()
        self._dropped: dict[Outcome, int] = {"tie": 0, "no_verdict": 0}
        self._seen: dict[int, tuple[int, bool]] = {}  # hash of a row: its first line, and which way it was decided
        self._prompts: dict[int, tuple[int, SplitName]] = {}  # hash of a prompt: its first line and split

    def add(self, event: Event) -> None:
        self._rows += 1
        for notice in event.notices:
            self._note(notice)
        if event.problem is not None:
            self._note(event.problem)
        elif event.dropped is not None:
            self._dropped[event.dropped] += 1
        elif event.record is not None:
            self._keep(event.record)

    def report(self) -> CheckReport:
        return CheckReport(
            file=self._source.file,
            kind=self._source.layout.kind,
            layout=self._source.layout.name,
            rows=self._rows,
            kept=self._kept,
            problems=(*self._problems, *self._not_listed()),
            counts=dict(self._counts),
            dropped=dict(self._dropped),
            lengths=self._measure.lengths_json(),
            cut=self._measure.cut_json(),
        )

    def _note(self, problem: Problem) -> None:
        self._counts[problem.code] += 1
        self._listed[problem.severity] += 1
        if self._listed[problem.severity] <= LISTED:
            self._problems.append(problem)

    def _not_listed(self) -> list[Problem]:
        listed = Counter(problem.code for problem in self._problems)
        rest = {code: times - listed[code] for code, times in self._counts.items() if times > listed[code]}
        if not rest:
            return []
        said = ", ".join(f"{times:,} {code}" for code, times in rest.items())
        return [self._problem("not_listed", None, None, f"{sum(rest.values()):,} more problems are not listed: {said}")]

    def _problem(self, code: str, line: int | None, column: str | None, said: str) -> Problem:
        assert code in CODES
        return Problem(code=code, file=self._source.file, line=line, column=column, problem=said)

    def _keep(self, record: Record) -> None:
        self._kept += 1
        self._compare_with_earlier(record)
        if record.split is not None:
            self._compare_split(record, record.split)
        if self._measure.add(record):
            said = "the two answers are the same after the cut to the maximum length"
            self._note(self._problem("identical_after_cut", record.line, None, said))

    def _compare_with_earlier(self, record: Record) -> None:
        key, way = row_key(record)
        line, earlier = self._seen.setdefault(key, (record.line, way))
        if line == record.line:
            return
        if way == earlier:
            self._note(self._problem("duplicate", record.line, None, f"the same row stands at line {line}"))
        else:
            said = f"line {line} has the same prompt and answers with the opposite verdict"
            self._note(self._problem("contradiction", record.line, None, said))

    def _compare_split(self, record: Record, split: SplitName) -> None:
        asked = record.prompt if record.prompt is not None else record.text
        assert asked is not None
        line, earlier = self._prompts.setdefault(content_hash(asked), (record.line, split))
        if earlier != split:
            said = f"the prompt stands here in {split!r} and at line {line} in {earlier!r}"
            self._note(self._problem("shared_prompt", record.line, "split", said))


def row_key(record: Record) -> tuple[int, bool]:
    """A hash of the row without its verdict, and the verdict: rows with one hash repeat or contradict each other."""
    prompt = () if record.prompt is None else (record.prompt,)
    if record.chosen is not None and record.rejected is not None:
        way = content_bytes(record.chosen) < content_bytes(record.rejected)
        first, second = (record.chosen, record.rejected) if way else (record.rejected, record.chosen)
        return content_hash(*prompt, first, second), way
    answers = [part for part in (record.completion, record.text) if part is not None]
    steps = zip(record.steps or (), record.step_labels or (), strict=True)
    marked = [part for step, label in steps for part in (step, int(label))]
    rated = [*(record.completions or ()), *(record.texts or ()), *map(repr, record.scores or ()), record.rater or ""]
    return content_hash(*prompt, *answers, *marked, *rated, *(record.targets or ())), bool(record.label)
