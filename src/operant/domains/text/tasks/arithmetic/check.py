"""Ground truth of an answer: exact, total (every string has a value), by clause and by final answer.

A solution is clauses between full stops: steps such as "1 4 + 7 = 2 1", and at the end "answer 2 1".
"""

from __future__ import annotations

from typing import NamedTuple

from operant.domains.text.tasks.arithmetic.generator import Problem, Step

DIGITS = 12  # of one number; longer ones are no number
SIGNS = ("+", "-", "*", "/")


class Checked(NamedTuple):
    """What an answer is worth."""

    right: bool  # the final answer
    clauses: tuple[bool, ...]  # right or wrong, one for each
    done: int  # steps of the solution that are there, in order
    useless: int  # correct clauses that lead nowhere, such as 7 + 0 = 7
    written: int  # clauses but the final answer


def clauses(text: str) -> list[str]:
    """What stands between full stops."""
    found: list[list[str]] = [[]]
    for word in text.split():
        if word == ".":
            found.append([])
        else:
            found[-1].append(word)
    return [" ".join(words) for words in found if words]


def number(words: list[str]) -> int | None:
    """Digits apart or together: ["1", "4"] and ["14"] are 14."""
    digits = "".join(words)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= DIGITS else None


def step(clause: str) -> Step | None:
    """The step a clause states, true or not."""
    words = clause.split()
    signs = [place for place, word in enumerate(words) if word in SIGNS]
    if len(signs) != 1 or words.count("=") != 1 or words.index("=") < signs[0]:
        return None
    middle, end = signs[0], words.index("=")
    left, right, result = number(words[:middle]), number(words[middle + 1 : end]), number(words[end + 1 :])
    if left is None or right is None or result is None:
        return None
    return Step(left, words[middle], right, result)


def final(clause: str) -> int | None:
    """The number of "answer 1 4"."""
    words = clause.split()
    return number(words[1:]) if words[:1] == ["answer"] else None


def check(text: str, problem: Problem) -> Checked:
    """Compare with the right solution, clause by clause.

    A step is right when it is the next step of the solution (operands of + and * in either order), or when it is
    correct but useless at the value reached. A wrong step's followers are wrong too, until one takes up the solution
    where it was left. The final answer counts where it is the last clause.
    """
    wanted, found = problem.steps(), clauses(text)
    labels, done, useless = [], 0, 0
    for clause in found:
        if clause.startswith("answer"):
            labels.append(final(clause) == problem.target)
            continue
        value = wanted[done - 1].result if done else wanted[0].left
        stated = step(clause)
        advances = done < len(wanted) and stated is not None and _same(stated, wanted[done])
        idle = stated is not None and not advances and _idle(stated, value)
        labels.append(advances or idle)
        done, useless = done + advances, useless + idle
    right = bool(found) and final(found[-1]) == problem.target
    written = sum(not clause.startswith("answer") for clause in found)
    return Checked(right, tuple(labels), done, useless, written)


def gold(text: str, problem: Problem) -> dict[str, float]:
    """accuracy: the final answer, 0 or 1. steps: right steps over steps needed or written, whichever are more; useless
    ones do not count. filler: share of written steps that are correct but useless.
    """
    found = check(text, problem)
    counted = max(problem.level, found.written - found.useless)
    return {
        "accuracy": float(found.right),
        "steps": found.done / counted,
        "filler": found.useless / found.written if found.written else 0.0,
    }


def _same(one: Step, two: Step) -> bool:
    return one == two or (one.sign in ("+", "*") and one == Step(two.right, two.sign, two.left, two.result))


def _idle(one: Step, value: int) -> bool:
    neutral = 0 if one.sign in ("+", "-") else 1
    return one.left == one.result == value and one.right == neutral
