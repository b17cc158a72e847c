"""Right or wrong by a task's verifier, for answers that a policy drew to learn from."""

from __future__ import annotations

from collections.abc import Sequence

from operant.schema import Answer, Feedback, Prompt, Score


def verified(task: Feedback, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
    """1 for a right answer, 0 for a wrong one; None, with why, where the verifier cannot tell.

    An answer that was cut is wrong whatever it says so far, and is not verified: what looks like its result may have
    been a step.
    """
    ended = [place for place, answer in enumerate(answers) if answer.finish == "stop"]
    found = task.verify([prompts[place] for place in ended], [answers[place] for place in ended])
    scores = [Score(value=0.0, why="it was cut")] * len(answers)
    for place, score in zip(ended, found, strict=True):
        scores[place] = score
    return scores
