"""Constraints that a program can check: keywords and lengths, as IFEval states and counts them.

A prompt carries them in its columns `instruction_id_list` and `kwargs`. Checks follow the set's own code: keywords are
found anywhere and in any case (literally: there they are patterns); a forbidden word is a whole word; paragraphs are
set apart by `***`, or by an empty line where one of them has to begin with a word. Sentences end with . ! or ? before
white space; the set's own code asks NLTK, which also knows abbreviations.
Source: Zhou et al. 2023, Instruction-Following Evaluation for Large Language Models, arXiv:2311.07911.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from operant.disk import write_json
from operant.errors import UnknownName
from operant.meter import charge
from operant.rewards.model import compare_by_score
from operant.schema import Answer, Prompt, Scale, Score

FILE = "operant_constraints.json"
IDS, SETTINGS = "instruction_id_list", "kwargs"

Settings = Mapping[str, Any]
Check = Callable[[str, Settings], float]  # (answer, settings) -> how far it is met, 0 to 1; 1 is met


class Constraints:
    """Scores an answer by its prompt's constraints: the mean of how far each is met, or the share that is met.

    Half of the wanted words are half of the way, so that a search sees where it goes; `strict` counts what is met and
    nothing else, as IFEval does.
    """

    scale: Scale = "raw"

    def __init__(self, *, strict: bool = False):
        self.strict = strict

    def score(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Score]:
        """0 to 1, each constraint's under `parts`; None where the prompt has no constraint that is known here."""
        charge(verifier_calls=len(prompts))
        return [self._one(prompt, str(answer.value)) for prompt, answer in zip(prompts, answers, strict=True)]

    def compare(self, prompts: Sequence[Prompt], left: Sequence[Answer], right: Sequence[Answer]) -> list[float | None]:
        """sigmoid of the difference of the scores."""
        return compare_by_score(self, prompts, left, right)

    def save(self, directory: Path) -> None:
        write_json(directory / FILE, {"strict": self.strict})

    def _one(self, prompt: Prompt, text: str) -> Score:
        stated = stated_by(prompt)
        if not stated:
            return Score(value=None, why=f"the prompt has no constraint in the columns {IDS} and {SETTINGS}")
        met = {f"{place}: {name}": CHECKS[name](text, told) for place, (name, told) in enumerate(stated)}
        if self.strict:
            met = {name: float(how == 1) for name, how in met.items()}
        return Score(value=sum(met.values()) / len(met), parts=met)


def stated_by(prompt: Prompt) -> list[tuple[str, Settings]]:
    """The constraints of a prompt that are about keywords and lengths, with their settings; others are left out."""
    names, told = prompt.columns.get(IDS, ()), prompt.columns.get(SETTINGS, ())
    families = {name.partition(":")[0] for name in CHECKS}
    found = [(name, one) for name, one in zip(names, told, strict=True) if name.partition(":")[0] in families]
    for name, _ in found:
        if name not in CHECKS:
            raise UnknownName("constraint", name, CHECKS)
    return found


def _counted(count: int, relation: str, bound: int) -> float:
    """`less than` or `at least` a number; the nearer a count that misses it, the more."""
    if relation == "at least":
        return min(1.0, count / bound) if bound > 0 else 1.0
    if relation != "less than":
        raise UnknownName("relation", relation, ("at least", "less than"))
    return 1.0 if count < bound else min((bound - 1) / count, 0.99) if count else 0.0


def _existence(text: str, told: Settings) -> float:
    words = told["keywords"]
    return sum(bool(re.search(re.escape(word), text, re.IGNORECASE)) for word in words) / len(words)


def _frequency(text: str, told: Settings) -> float:
    return _counted(
        len(re.findall(re.escape(told["keyword"]), text, re.IGNORECASE)), told["relation"], told["frequency"]
    )


def _forbidden(text: str, told: Settings) -> float:
    words = told["forbidden_words"]
    return sum(not re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for word in words) / len(words)


def _letters(text: str, told: Settings) -> float:
    return _counted(text.lower().count(told["letter"].lower()), told["let_relation"], told["let_frequency"])


def _words(text: str, told: Settings) -> float:
    return _counted(len(re.findall(r"\w+", text)), told["relation"], told["num_words"])


def _sentences(text: str, told: Settings) -> float:
    count = len([one for one in re.split(r"(?<=[.!?])\s+", text.strip()) if one])
    return _counted(count, told["relation"], told["num_sentences"])


def _paragraphs(text: str, told: Settings) -> float:
    """Exactly so many, set apart by `***`; an empty one in the middle is wrong."""
    found = re.split(r"\s?\*\*\*\s?", text)
    inner = found[1:-1]
    if not all(one.strip() for one in inner):
        return 0.0
    return _near(sum(bool(one.strip()) for one in found), told["num_paragraphs"])


def _first_word(text: str, told: Settings) -> float:
    """So many paragraphs, set apart by an empty line, one of which begins with a word: half for each of the two."""
    found = [one.strip() for one in re.split(r"\n\n", text) if one.strip()]
    place = told["nth_paragraph"]
    if not 0 < place <= len(found):
        return 0.0
    first = found[place - 1].split()[0].strip(string.punctuation).lower()
    return (_near(len(found), told["num_paragraphs"]) + (first == told["first_word"].lower())) / 2


def _near(count: int, wanted: int) -> float:
    return 1.0 if count == wanted else min(count, wanted) / max(count, wanted)


CHECKS: Mapping[str, Check] = {
    "keywords:existence": _existence,
    "keywords:frequency": _frequency,
    "keywords:forbidden_words": _forbidden,
    "keywords:letter_frequency": _letters,
    "length_constraints:number_words": _words,
    "length_constraints:number_sentences": _sentences,
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:nth_paragraph_first_word": _first_word,
}
