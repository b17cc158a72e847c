"""What is known of a formula: its values at some points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from operant.domains.symbolic.expression import Points
from operant.errors import require


@dataclass(frozen=True, eq=False)
class Samples:
    """Points [rows, variables] and values [rows]; at least two rows, all finite, values that differ."""

    points: Points
    values: Points

    def __post_init__(self) -> None:
        points, values = np.asarray(self.points), np.asarray(self.values)
        require(
            points.ndim == 2 and points.shape[1] >= 1, "points", points.shape, "[rows, variables], 1 variable or more"
        )
        require(values.shape == points.shape[:1], "values", values.shape, f"one for each of {len(points)} points")
        require(len(points) >= 2, "points", len(points), "at least 2")
        require(np.isfinite(points).all(), "points", "NaN or infinity", "finite numbers")
        require(np.isfinite(values).all(), "values", "NaN or infinity", "finite numbers")
        require(values.std() > 0, "values", f"{values[0]:g} everywhere", "values that differ")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Samples):
            return NotImplemented
        return np.array_equal(self.points, other.points) and np.array_equal(self.values, other.values)

    def __str__(self) -> str:
        """A table of the first rows."""
        names = [*(f"x{place}" for place in range(1, self.points.shape[1] + 1)), "y"]
        rows = [[*point, value] for point, value in zip(self.points[:8], self.values[:8], strict=True)]
        more = [f"and {len(self.points) - 8} more"] if len(self.points) > 8 else []
        return "\n".join(["  ".join(f"{name:>8}" for name in names),
                          *("  ".join(f"{one:8.4f}" for one in row) for row in rows), *more])  # fmt: skip
