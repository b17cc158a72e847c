"""Answers to mathematical questions: found in a text, read as exact numbers, compared, and scored.

numbers: a small grammar, exact rationals    answers: where the answer stands    equal: two answers
symbolic: what math-verify says, in a child process    verifier: AnswerVerifier, a Scorer
"""

from operant.domains.text.maths.answers import final_answer
from operant.domains.text.maths.equal import Equality, Verdict
from operant.domains.text.maths.numbers import Unreadable, number
from operant.domains.text.maths.verifier import AnswerVerifier

__all__ = ["AnswerVerifier", "Equality", "Unreadable", "Verdict", "final_answer", "number"]
