"""`arithmetic`: word problems of one to five steps, with chains of thought, exact labels for each step, a verifier.

wordings: ways to say a problem    generator: problems, solutions, mistakes, programs
check: ground truth of an answer    task: prompts, feedback, base
"""

from operant.domains.text.tasks.arithmetic.task import Arithmetic, Knobs

TASK = Arithmetic
ANSWER_TOKENS = 56  # five steps take up to 49

__all__ = ["ANSWER_TOKENS", "TASK", "Arithmetic", "Knobs"]
