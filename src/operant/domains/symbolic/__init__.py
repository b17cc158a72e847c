"""Symbolic: answers are formulas.

expression: formulas as tokens in pre-order, computed    grammar: formulas as people write them, read
exact: are two formulas the same    sums: formulas as sums of terms    represent: dump, load, show
metrics: recovered, fit, tokens    tasks: formula
"""
