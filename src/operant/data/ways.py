"""Which kind of record can become which, step by step."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from operant.data import derive
from operant.data.chat import to_chat, to_text
from operant.data.records import Derived, Kind, Record
from operant.errors import OperantError

Make = Callable[[Record], Derived]


class Way(NamedTuple):
    """One step from a kind to another."""

    start: Kind
    end: Kind
    make: Make


class NoWay(OperantError):
    """Rows of one kind cannot become rows of another."""

    def __init__(self, start: Kind, ends: Sequence[Kind], what: str):
        there = reachable(start)
        ways = f"they can become {', '.join(there)}" if there else "they can become nothing else"
        super().__init__(f"{start} rows cannot become {' or '.join(ends)} rows, which {what} holds; {ways}")


def ways(pairs: derive.Pairs = "all") -> tuple[Way, ...]:
    """Every step; where two lead as far, the earlier one is taken."""
    made: list[Way] = [
        Way("ratings", "preference", lambda record: derive.ratings_to_pairs(record, pairs=pairs)),
        Way("preference", "unpaired", derive.pair_to_unpaired),
        Way("unpaired", "prompt_completion", derive.unpaired_to_completion),
        Way("stepwise", "unpaired", derive.stepwise_to_unpaired),
        Way("prompt_completion", "messages", _chat_then(derive.completion_to_messages)),
        Way("messages", "prompt_completion", derive.messages_to_completion),
        Way("messages", "text", to_text),
        Way("scored_text", "text", derive.scored_to_text),
        Way("prompt_only", "prompt_target", derive.prompt_to_target),
        Way("prompt_target", "prompt_completion", derive.target_to_completion),
    ]
    asked: tuple[Kind, ...] = ("prompt_target", "prompt_completion", "unpaired", "preference", "ratings", "stepwise")
    return (*made, *(Way(kind, "prompt_only", derive.to_prompt) for kind in asked))


def _chat_then(make: Make) -> Make:
    return lambda record: derive_all([record], (to_chat, make))


def find_way(start: Kind, ends: Sequence[Kind], *, pairs: derive.Pairs = "all", what: str) -> tuple[Way, ...]:
    """The shortest way to one of these kinds; empty where `start` is one. Raises NoWay, which names what exists."""
    queue: deque[tuple[Kind, tuple[Way, ...]]] = deque([(start, ())])
    seen = {start}
    while queue:
        kind, way = queue.popleft()
        if kind in ends:
            return way
        for step in ways(pairs):
            if step.start == kind and step.end not in seen:
                seen.add(step.end)
                queue.append((step.end, (*way, step)))
    raise NoWay(start, ends, what)


def reachable(start: Kind) -> list[Kind]:
    """Every kind that rows of this kind can become, near ones first."""
    found: list[Kind] = [start]
    for kind in found:
        found += [step.end for step in ways() if step.start == kind and step.end not in found]
    return found[1:]


def derive_all(records: Iterable[Record], steps: Sequence[Make]) -> Derived:
    """Records through every step in turn, and everything that was left out on the way, by reason."""
    held, dropped = tuple(records), Counter[str]()
    for make in steps:
        made: list[Record] = []
        for record in held:
            derived = make(record)
            made += derived.records
            dropped.update(derived.dropped)
        held = tuple(made)
    return Derived(held, dict(dropped))
