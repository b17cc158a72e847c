"""DeAL: which reward it is steered by, and that its settings have an effect. Its search: tests/decoding."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import tiny
from operant.errors import BadValue, NotApplicable
from operant.methods.decode.deal import Config, rewarding, run
from operant.rewards.constraints import Constraints
from operant.schema import Answer, Decoding, Prompt, Score

SHORT = Decoding(max_tokens=8)


def texts(products) -> list[str]:
    drawn = products.generator.answer(tiny.graded().prompts("test")[:6], n=1, decoding=SHORT, seed=0)
    return [one.value for (one,) in drawn]


def test_weight_and_reach_have_an_effect(tiny_run):
    plain, steered, near = (
        texts(tiny_run("deal", **how)[0]) for how in ({"weight": 0.0}, {"weight": 8.0}, {"weight": 8.0, "look": 0})
    )
    assert plain != steered != near


def test_a_weighted_scorer_is_a_scorer_of_that_weight():
    """Weights (w, 0) of two rewards are w times the first; a shift of a prompt's rewards changes no choice."""

    class Fixed:
        def score(self, prompts, answers):
            return [Score(value=None if answer.value == "?" else 2.0) for answer in answers]

    prompts = [Prompt(id="0", content="p")] * 2
    assert rewarding(Fixed())(prompts, [Answer(value="x"), Answer(value="?")]) == [2.0, 0.0]


def test_what_a_prompt_asks_for_is_mentioned_more_often(tiny_run):
    prompts = tiny.graded().prompts("test")[:6]
    plain, steered = (
        [
            Answer(value=text)
            for text in texts(tiny_run("deal", reward="constraints", weight=weight, top_k=200, look=0)[0])
        ]
        for weight in (0.0, 8.0)
    )
    met = [sum(score.value for score in Constraints().score(prompts, some)) for some in (plain, steered)]
    assert met[0] < met[1]


def test_constraints_that_nobody_states_are_not_applicable():
    silent = SimpleNamespace(task=SimpleNamespace(prompts=lambda _: [Prompt(id="0", content="?")]))
    with pytest.raises(NotApplicable, match="no prompt states a keyword"):
        run(Config(reward="constraints"), silent)


def test_nonsense_is_refused():
    with pytest.raises(BadValue, match="look or shortest"):
        Config(look=-1)
