"""Frames around a question: what form the answer is to have, how to begin, and the question as a comment of a program.

Source: the prompts released with Xu et al. 2024, arXiv:2309.06275; their wording for programs is longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from operant.prompting.edits import Demo, after_instruction, with_text
from operant.schema import Prompt

Form = Literal["free", "number", "choice", "yes-no", "date", "text"]
Trigger = Literal["none", "cot", "plan-and-solve"]
FORMS: dict[Form, str] = {
    "free": "",
    "number": "Your final answer should be a single numerical number, in the form \\boxed{answer}, at the end of your "
    "response.",
    "choice": "Your answer should be in the form \\boxed{choice}, e.g. \\boxed{A}, \\boxed{B}, \\boxed{C}, \\boxed{D}. "
    "There is only one correct choice.",
    "yes-no": "Your answer should be either \\boxed{yes} or \\boxed{no}, in the form \\boxed{answer}.",
    "date": "Your answer should be a date, in the format of \\boxed{MM/DD/YYYY}, e.g. \\boxed{05/01/2022}.",
    "text": "Your answer should be in the form \\boxed{answer}.",
}
TRIGGERS: dict[Trigger, str] = {
    "none": "",
    "cot": "Let's think step by step.",
    "plan-and-solve": "Let's first understand the problem and devise a plan to solve the problem. Then, let's carry "
    "out the plan, solve the problem step by step, and give the ultimate answer. Please explicitly generate the "
    "mentioned process: [Problem Understanding], [Plan], [Solving/Calculations], [Answer]. in your response.",
}
PROGRAM = '# Write a function solution() in Python that returns the answer.\n\n{question}\n\ndef solution():\n    """'


def question_answer(question: str, *, form: Form, trigger: Trigger, demos: Sequence[Demo] = ()) -> str:
    """Q and A on lines of their own: worked examples, each read once, the question, the form, and how A begins."""
    shown = "".join(f"\nQ: {demo.input}\nA: {demo.output}\n" for demo in demos)
    asked = f"\nQ: {question}\n\n" + (f"{FORMS[form]}\n\n" if FORMS[form] else "")
    return f"{shown}{asked}A: {TRIGGERS[trigger]}"


def as_program(question: str) -> str:
    """The question in front of a function, every line of it a comment: an uncommented copy would not run."""
    lines = "\n".join(f"# {line}".rstrip() for line in f"Q: {question}".splitlines())
    return PROGRAM.format(question=lines)


def asked_for(prompt: Prompt, *, form: Form, trigger: Trigger) -> Prompt:
    """The prompt's own words with the form behind its instruction and the trigger where its answer begins."""
    formed = after_instruction(prompt, FORMS[form])
    if not TRIGGERS[trigger]:
        return formed
    return with_text(formed, lambda text: text + ("" if text[-1:].isspace() else " ") + TRIGGERS[trigger])
