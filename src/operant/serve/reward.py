"""/get_reward as OpenRLHF's remote reward models have it: texts in, one number each out."""

from __future__ import annotations

from threading import Lock
from typing import Any

from operant.rewards.model import RewardModel
from operant.schema import Answer, Prompt
from operant.serve.requests import BadRequest

MOST_TEXTS = 1024
KNOWN = ("query", "prompts", "labels")  # labels: OpenRLHF sends the dataset's; a reward model reads none


class Rewarded:
    """A reward model; one request at a time."""

    def __init__(self, model: RewardModel):
        self.model, self.lock = model, Lock()

    def run(self, body: Any) -> dict[str, list[float | None]]:
        """{"rewards": [number, or null where the model gave none]}, one for each text of `query`."""
        prompts, answers = parse(body)
        with self.lock:
            return {"rewards": [score.value for score in self.model.score(prompts, answers)]}


def parse(body: Any) -> tuple[list[Prompt], list[Answer]]:
    """With `prompts`, a query is prompt and answer joined, and they are encoded apart, as in training."""
    if not isinstance(body, dict) or set(body) - set(KNOWN):
        raise BadRequest(f"the body is an object with {', '.join(KNOWN)}, and nothing else")
    query = _texts(body.get("query"), "query")
    if body.get("prompts") is None:
        # The whole text as a prompt with nothing after it: the score is read at its last token.
        return [Prompt(id="", content=text) for text in query], [Answer(value="", finish="length")] * len(query)
    prompts = _texts(body["prompts"], "prompts")
    if len(prompts) != len(query):
        raise BadRequest(f"{len(prompts)} prompts for {len(query)} texts of query", param="prompts")
    for place, (prompt, text) in enumerate(zip(prompts, query, strict=True)):
        if not text.startswith(prompt):
            raise BadRequest(f"query[{place}] does not begin with prompts[{place}]", param="prompts")
    answers = [Answer(value=text[len(prompt) :]) for prompt, text in zip(prompts, query, strict=True)]
    return [Prompt(id="", content=prompt) for prompt in prompts], answers


def _texts(value: Any, name: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise BadRequest(f"{name} is a list of at least one text", param=name)
    if len(value) > MOST_TEXTS:
        raise BadRequest(f"{name} holds {len(value)} texts; expected {MOST_TEXTS} at most", param=name)
    return value
