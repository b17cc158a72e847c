"""`instructions`: small labelled items with exact answers, and a base in which effects of sentences are planted.

wordings: instructions, frame, words    generator: items, wrong answers, training rows of the base
task: prompts, feedback, base
"""

from operant.domains.text.tasks.instructions.task import Instructions, Knobs

TASK = Instructions

__all__ = ["TASK", "Instructions", "Knobs"]
