"""`tastes`: the reviews again, judged by users who want opposite things. What one group likes, another dislikes.

The prompts, the grammar and the base are those of `reviews`; every pair is one that the groups disagree on.
"""

from operant.domains.text.tasks.tastes.task import GROUPS, Knobs, Tastes

TASK = Tastes

__all__ = ["GROUPS", "TASK", "Knobs", "Tastes"]
