"""One line of the table: a ratio in every round, and the floor that was set for it."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple


class Line(NamedTuple):
    """What is measured, against what, and how many times as much (or as little) it came to in each round."""

    what: str
    against: str
    floor: float
    aim: float
    values: list[float]
    most: bool = False  # whether floor and aim are the most that is allowed

    @property
    def reached(self) -> int:
        """In how many rounds the floor is reached."""
        return sum(value <= self.floor if self.most else value >= self.floor for value in self.values)

    @property
    def doubtful(self) -> bool:
        """Whether it is reached in half of the rounds at most; then no page leaves the line out."""
        return 2 * self.reached <= len(self.values)

    @property
    def verdict(self) -> str:
        if self.reached in (0, len(self.values)):
            return "holds" if self.reached else "does not hold"
        return f"holds in {self.reached} of {len(self.values)}"

    @property
    def measured(self) -> str:
        return f"{median(self.values):.2f} ({min(self.values):.2f} to {max(self.values):.2f})"
