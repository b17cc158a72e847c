"""`formula`: values of a formula that nobody shows, and the formula to be found."""

from operant.domains.symbolic.tasks.formula.task import Formulas

TASK = Formulas
