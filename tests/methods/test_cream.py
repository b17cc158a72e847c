"""CREAM: both rankers by hand, consistency as a label, what is skipped, and that each setting has an effect."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch

import tiny
from operant.errors import BadValue
from operant.loops.iterated_preference import Drawn, Now
from operant.loops.student import Student
from operant.methods.loop import cream
from operant.methods.loop.cream import Config, Ranked, Rankers, ends_of, length_correlation
from operant.rewards.own_judge import asking
from operant.schema import Answer, Decoding, Prompt, Score
from operant.stats.rank_agreement import kendall

PROMPTS = tiny.graded().prompts("test")


def drawn(count=4):
    many = tiny.base().answer(PROMPTS, n=count, decoding=Decoding(max_tokens=6), seed=0)
    return tuple(Drawn(prompt, tuple(answers)) for prompt, answers in zip(PROMPTS, many, strict=True))


def sums(model, one: Drawn) -> list[float]:
    return [sum(own) for own in model.logps([one.prompt] * len(one.answers), one.answers)]


@pytest.fixture
def moved(tiny_bench):
    """A student that differs from the base, without a fit; and what a round is told of it."""
    student = Student(tiny_bench())
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in student.policy.module.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=rng))
    student.ends = {1: None}  # the fit that comes before the first round
    return student, Now(0, student, drawn())


def test_rewards_are_log_ratios_and_the_reference_s_own_are_by_token(moved):
    student, now = moved
    rankers, one = Rankers(Config(), student.bench), now.drawn[0]
    (ours,) = rankers._rewards(student.policy, [one], first=False)
    base, policy = sums(tiny.base(), one), sums(student.policy, one)
    assert ours == pytest.approx([a - b for a, b in zip(policy, base, strict=True)], abs=1e-4)
    (first,) = rankers._rewards(tiny.base(), [one], first=True)
    tokens = [len(answer.tokens) for answer in one.answers]
    assert first == pytest.approx([a / count for a, count in zip(base, tokens, strict=True)], abs=1e-4)
    (zero,) = rankers._rewards(tiny.base(), [one], first=False)
    assert zero == pytest.approx([0.0] * 4, abs=1e-4)  # which ranks nothing, hence the other


@pytest.mark.parametrize("consistency", ["avg", "dyn", "none", "annotator"])
def test_labels_are_the_consistency(moved, consistency):
    student, now = moved
    rankers = Rankers(Config(consistency=consistency), student.bench)
    student.bench.task.ask = lambda prompts, *_: [1.0, 0.0] * (len(prompts) // 2)
    pairs, ranked = rankers(now), rankers.rounds[0]
    agreed = []
    for one, pair in zip(now.drawn, pairs, strict=True):
        ours = [a - b for a, b in zip(sums(student.policy, one), sums(tiny.base(), one), strict=True)]
        theirs = [a / len(answer.tokens) for a, answer in zip(sums(tiny.base(), one), one.answers, strict=True)]
        agreed.append(kendall(ours, theirs))
        assert pair.chosen is one.answers[int(np.argmax(ours))]
        assert pair.rejected is one.answers[int(np.argmin(ours))]
    assert [one.agreed for one in ranked] == pytest.approx(agreed)
    mean = sum(agreed) / len(agreed)
    told = {"avg": [mean] * 6, "dyn": agreed, "none": [None] * 6, "annotator": [0.5] * 6}
    assert [pair.margin for pair in pairs] == pytest.approx(told[consistency])
    assert 0 < mean < 1


def test_the_more_noise_a_ranker_has_the_less_both_agree():
    rng, truth = Random(0), [[float(at) for at in range(5)] for _ in range(400)]

    def agreed(noise):
        return sum(kendall([one + rng.gauss(0, noise) for one in own], own) for own in truth) / len(truth)

    found = [agreed(noise) for noise in (0.0, 0.5, 1.0, 2.0, 8.0)]
    assert found[0] == 1.0 and found == sorted(found, reverse=True)


def told(answers, rewards=None):
    one = Drawn(Prompt(id="p", content="?"), tuple(answers))
    return Ranked(one, rewards or [0.0] * len(answers), 1.0)


def test_best_against_worst():
    answers = [Answer(value=text, tokens=(1,) * size) for text, size in (("a", 1), ("b", 2), ("c", 3))]
    pair = ends_of(told(answers, [0.5, -1.0, 2.0]))
    assert (pair.chosen.value, pair.rejected.value) == ("c", "b")
    # rewards 1, 2, 3 of 1, 2, 3 tokens; and nothing to tell where all are as long
    assert length_correlation(told(answers, [1.0, 2.0, 3.0])) == pytest.approx(1.0)
    assert np.isnan(length_correlation(told(answers[:1] * 3, [1.0, 2.0, 3.0])))


def test_prompts_without_two_answers_or_without_a_reward_are_skipped(moved, monkeypatch):
    student, now = moved
    same = Drawn(PROMPTS[0], now.drawn[0].answers[:1] * 3)
    unknown, kept = now.drawn[1:3]
    rankers = Rankers(Config(), student.bench)
    plain = rankers._rewards

    def some(model, drawn, *, first):
        found = plain(model, drawn, first=first)
        return [None if one.prompt is unknown.prompt else own for one, own in zip(drawn, found, strict=True)]

    monkeypatch.setattr(rankers, "_rewards", some)
    pairs = rankers(Now(0, student, (same, unknown, kept)))
    assert [pair.prompt for pair in pairs] == [kept.prompt]


def test_each_round_is_judged_by_the_version_before(tiny_bench, monkeypatch):
    """Rounds 0, 1, 2 of models 1, 2, 3: the base, then models 1 and 2."""
    asked = []
    plain = Student.as_after

    def told(self, fits):
        asked.append(fits)
        return plain(self, fits)

    monkeypatch.setattr(Student, "as_after", told)
    cream.run(tiny.config("cream", rounds=3, epochs=1), tiny_bench(epochs=12))
    assert asked == [1, 2]


def test_the_model_before_may_be_given_instead_of_a_first_fit(tiny_bench, tmp_path):
    tiny.base().save(tmp_path / "before")
    with torch.no_grad():
        bench = tiny_bench(epochs=12)
        bench.base = tiny.base().snapshot()
        next(bench.base.module.parameters()).mul_(1.3)
    made = cream.run(tiny.config("cream", sft=0, reference=str(tmp_path / "before")), bench)
    assert len(made.generator.points()) == 3  # rounds, and no fit before them


def test_grades_in_words_rank_too(moved, monkeypatch):
    class Judge:
        def __init__(self, ask):
            assert callable(ask)

        def score(self, prompts, answers):
            assert len(prompts) == len(answers)
            return [Score(value=float(len(answer.tokens))) for answer in answers]

    monkeypatch.setattr(cream, "EndpointJudge", Judge)
    student, now = moved
    pairs = Rankers(Config(judged=True), student.bench)(now)
    assert pairs and all(len(pair.chosen.tokens) > len(pair.rejected.tokens) for pair in pairs)
    assert {pair.margin for pair in pairs} == {1.0}  # the same judge twice agrees with itself


def test_a_model_is_asked_as_a_judge_is():
    class Echo:
        def answer(self, prompts, *, n, decoding, seed):
            assert (n, decoding.temperature, seed) == (1, 0.0, 0)
            return [[Answer(value=prompt.content[0]["content"].upper())] for prompt in prompts]

    assert asking(Echo())([[{"role": "user", "content": "good?"}]]) == ["GOOD?"]


def flat(products):
    return torch.cat([weight.flatten() for weight in products.generator.module.parameters()])


@pytest.mark.parametrize(
    "settings",
    [
        {"beta": 0.5}, {"sft": 0.4}, {"faster": 3.0}, {"agreement": "spearman"}, {"consistency": "dyn"}, {"samples": 3},
        {"rounds": 2}, {"temperature": 1.3}, {"top_p": 0.5}, {"later": 0.5}, {"sampling": 0.2}, {"max_tokens": 4},
    ],
)  # fmt: skip
def test_each_setting_has_an_effect(settings, tiny_run):
    other, _ = tiny_run("cream", learning_rate=1e-3, **settings)
    assert not torch.equal(flat(tiny.once("cream", learning_rate=1e-3)), flat(other))


def test_what_is_found_of_each_round(tiny_run):
    found = {one.name: one for one in tiny_run("cream")[0].findings}
    assert 0 <= found["round 1: consistency"].effect <= 1
    spread = found["round 1: spread of consistency, with its least and most"]
    assert 0 <= spread.low <= spread.high <= 1


@pytest.mark.parametrize(
    "settings, name",
    [
        ({"beta": 0.0}, "beta"), ({"sft": 1.0}, "sft"), ({"faster": 0.0}, "faster"), ({"sft": 0.0}, "reference"),
        ({"reference": "model"}, "reference"), ({"consistency": "none", "agreement": "ends"}, "agreement"),
        ({"samples": 1}, "samples"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(settings, name):
    with pytest.raises(BadValue, match=name):
        Config(**settings)
