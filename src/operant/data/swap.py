"""Which side of a pair is shown first."""

from collections.abc import Sequence

from operant.data.identity import content_bytes, content_hash
from operant.data.records import Record
from operant.errors import require


def swap_sides(records: Sequence[Record], *, seed: int) -> tuple[bool, ...]:
    """For each pair, whether the chosen answer is presented second.

    Files often hold the better answer on one side, and a judge that always says "second" must not profit. Which of
    the two texts comes first is a coin that hangs on the seed, the prompt and both texts, never on who won: a pair
    that stands twice with opposite verdicts is presented the same way twice, and its chosen side differs. Rows with
    the same content share their coin. Over many pairs an always-second judge is right half of the time.

    Errors: BadValue for a record that is no pair.
    """
    return tuple(_chosen_second(record, seed) for record in records)


def _chosen_second(record: Record, seed: int) -> bool:
    pair = record.chosen is not None and record.rejected is not None
    require(pair, f"line {record.line}", record.kind, "a preference pair")
    assert record.chosen is not None and record.rejected is not None
    low, high = sorted((record.chosen, record.rejected), key=content_bytes)
    prompt = "" if record.prompt is None else record.prompt
    low_first = content_hash(prompt, low, high, seed) % 2 == 0
    return (record.chosen == low) != low_first
