"""`reactions`: the reviews again, and what their readers said next. Nobody rates anything.

The prompts, the grammar and the base are those of `reviews`; a satisfied reader is likelier behind a better review.
readers: what readers say    task: prompts, dialogues, feedback
"""

from operant.domains.text.tasks.reactions.task import Knobs, Reactions

TASK = Reactions

__all__ = ["TASK", "Knobs", "Reactions"]
