"""`support`: what a character would do about a trouble in a mood, as far as its memories tell.

generator: moods, characters, memories, the base's training rows    task: prompts, memories, feedback
"""

from operant.domains.affect.tasks.support.task import Knobs, Support

TASK = Support

__all__ = ["TASK", "Knobs", "Support"]
