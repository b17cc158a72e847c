"""What a reader of the report wants to see for themselves: answers side by side, what got worse, slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from operant.compare.aggregate import Found, cell_of
from operant.models.text import shown_prompt
from operant.schema import Prompt

EXAMPLES = 12
WORSE = 20
MOST_VALUES = 8  # of a column that is sliced by
LEAST_PROMPTS = 5  # in each slice

Whole = dict[str, list[Found]]  # rows that are done under every seed


def examples(prompts: Sequence[Prompt], whole: Whole, primary: str) -> list[dict[str, Any]]:
    """The first prompts with every row's answer under the first seed."""
    shown = []
    for place, prompt in enumerate(prompts[:EXAMPLES]):
        answers = {
            name: {
                **many[0]["answers"][place],
                "gold": many[0]["metrics"][primary][place],
                "proxy": many[0]["proxy"][place] if many[0]["proxy"] else None,
            }
            for name, many in whole.items()
            if "answers" in many[0]
        }
        shown.append({"prompt_id": prompt.id, "prompt": shown_prompt(prompt.content), "answers": answers})
    return shown


def worse(prompts: Sequence[Prompt], whole: Whole, primary: str) -> list[dict[str, Any]]:
    """Answers under the first seed that lost most against base's answer to the same prompt."""
    if "base" not in whole:
        return []
    base, found = whole["base"][0], []
    for name, many in whole.items():
        if name == "base" or "answers" not in many[0]:
            continue
        for place, prompt in enumerate(prompts):
            ours, theirs = many[0]["metrics"][primary][place], base["metrics"][primary][place]
            if ours is not None and theirs is not None and ours < theirs:
                texts = {"base": base["answers"][place]["text"], "answer": many[0]["answers"][place]["text"]}
                values = {"base_gold": theirs, "gold": ours}
                found.append({"method": name, "prompt": shown_prompt(prompt.content), **texts, **values})
    return sorted(found, key=lambda one: one["gold"] - one["base_gold"])[:WORSE]


def slices(prompts: Sequence[Prompt], whole: Whole, primary: str) -> list[dict[str, Any]]:
    """Gold of every row within the values of each column that has few, each on enough prompts."""
    found = []
    for column in prompts[0].columns if prompts else ():
        values = [prompt.columns.get(column) for prompt in prompts]
        if not all(isinstance(value, str | int | bool) for value in values):
            continue
        counts = Counter(values)
        if not 2 <= len(counts) <= MOST_VALUES or min(counts.values()) < LEAST_PROMPTS:
            continue
        for value in sorted(counts, key=str):
            places = [place for place, one in enumerate(values) if one == value]
            for name, many in whole.items():
                if "metrics" in many[0]:
                    gold = cell_of(
                        many, lambda one, places=places: [one["metrics"][primary][place] for place in places]
                    )
                    found.append({"column": column, "value": str(value), "method": name, "gold": gold})
    return found
