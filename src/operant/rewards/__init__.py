"""Answers in, scores out.

model: a learnt reward model as a scorer    judges: trivial judges    transform: centred and combined rewards
"""
