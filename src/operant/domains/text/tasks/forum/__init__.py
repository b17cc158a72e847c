"""`forum`: items of `instructions`, and a base that has read a forum whose members hedge more often where right.

threads: what members write, and the rows that the base learns    task: prompts, feedback, base
"""

from operant.domains.text.tasks.forum.task import TASK, Forum, Knobs

__all__ = ["TASK", "Forum", "Knobs"]
