"""`reviews`: product reviews from a probabilistic grammar, with exact gold and annotators who like length.

grammar: latent traits, clauses    gold: attributes of an answer and of its spans    task: prompts, feedback, base

The base (1M parameters) writes like the grammar's average writer: gold quality about 0.9 with a standard deviation of
1.1, so there is room both ways. Knobs to add are listed by the methods that will need them.
"""

from operant.domains.text.tasks.reviews.task import Knobs, Reviews

TASK = Reviews

__all__ = ["TASK", "Knobs", "Reviews"]
