"""`arithmetic`: word problems of one to five steps, with chains of thought, exact labels for each step, a verifier.

wordings: ways to say a problem    generator: problems, solutions, mistakes, programs
check: ground truth of an answer    task: prompts, feedback, base
"""

from operant.domains.text.tasks.arithmetic.task import Arithmetic, Knobs

TASK = Arithmetic

__all__ = ["TASK", "Arithmetic", "Knobs"]
