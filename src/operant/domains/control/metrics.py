"""What an episode was worth."""

from __future__ import annotations

from operant.domains.control.represent import Episode
from operant.schema import Metric

METRICS = (
    Metric(name="success", what="the goal was reached within the horizon"),
    Metric(name="steps", direction="down", what="steps to the goal; the horizon where it was not reached"),
    Metric(name="coverage", what="share of the reachable cells that were visited"),
)


def measured(episode: Episode, *, horizon: int) -> dict[str, float]:
    """Every metric of one episode."""
    return {
        "success": float(episode.solved),
        "steps": float(episode.steps if episode.solved else horizon),
        "coverage": len(set(episode.path)) / len(episode.layout.distances()),
    }
