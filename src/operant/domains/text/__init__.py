"""Text: answers are strings.

metrics: length, distinct-n, self-BLEU    represent: dump, load, show    records: a user's rows as feedback
maths: answers found, read, compared      induction: metrics of instruction induction
tasks: reviews, arithmetic, instructions, and from_file for a user's own
"""
