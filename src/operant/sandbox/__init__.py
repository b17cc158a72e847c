"""Where strings that nobody trusts are worked on: a child process with limits, and programs without a way out.

child: run a function in a killable process    served: what that process does    syntax: which programs are read
interpreter, expressions, values, builtins: what a program may do, and how much of it    programs: all of it together
"""

from operant.sandbox.child import Limits, Outcome, Worker, run
from operant.sandbox.programs import run_program
from operant.sandbox.values import Bounds

__all__ = ["Bounds", "Limits", "Outcome", "Worker", "run", "run_program"]
