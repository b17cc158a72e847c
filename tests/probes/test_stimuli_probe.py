"""Verdicts on sentences: by hand, at planted effects, and without the best-of-eleven illusion."""

from __future__ import annotations

import numpy as np
import pytest

from operant.domains.text.tasks.instructions import Instructions, Knobs
from operant.domains.text.tasks.instructions.simulated import Flips, Simulated
from operant.errors import BadValue
from operant.probes.stimuli import best_stimulus, choose, findings_of, halves, try_stimuli, verdicts
from operant.prompting.edits import after_instruction
from operant.prompting.stimuli import ELEVEN, EMOTIONAL
from operant.schema import Decoding, Prompt
from operant.stats.paired import Paired, mcnemar, relative_gain

RNG = np.random.default_rng(0)


def judged(*, gained, lost, same=100, ids=None, name="EP02"):
    with_it = [1.0] * gained + [0.0] * lost + [1.0] * same
    without = [0.0] * gained + [1.0] * lost + [1.0] * same
    return verdicts({name: with_it}, without, ids=ids or range(len(without)), rng=RNG)[0]


def test_a_verdict_by_hand():
    found = judged(gained=11, lost=1)
    assert found.pairs == Paired(n=112, gained=11, lost=1)
    assert found.p == found.p_holm == mcnemar(11, 1) == 2 * 13 / 2**12
    assert found.verdict == "helps"
    assert found.interval.low < 10 / 112 < found.interval.high
    assert found.relative == pytest.approx(relative_gain(111 / 112, 101 / 112))
    assert judged(gained=1, lost=11).verdict == "hurts"
    assert judged(gained=8, lost=4).verdict == "no detectable effect"


def test_nine_discordant_pairs_say_nothing():
    # exact p would be 2 / 2^9 = 0.004
    found = judged(gained=9, lost=0)
    assert (found.verdict, found.interval, found.relative) == ("inconclusive", None, None)
    assert "9 of 109 items differ" in found.why


def test_an_item_that_stands_twice_says_nothing():
    found = judged(gained=20, lost=0, ids=[0] * 120)
    assert (found.verdict, found.why) == ("inconclusive", "an item stands twice")


def test_outcomes_and_ids_go_together():
    with pytest.raises(BadValue, match="ids"):
        verdicts({}, [1.0], ids=[], rng=RNG)


def test_many_sentences_are_corrected_for():
    one = judged(gained=12, lost=2)  # p = 2 (1 + 14 + 91) / 2^14 = 0.0129
    assert one.verdict == "helps"
    with_it = [1.0] * 12 + [0.0] * 2 + [1.0] * 100
    without = [0.0] * 12 + [1.0] * 2 + [1.0] * 100
    many = {f"S{place}": list(without) for place in range(10)} | {"EP02": with_it}
    found = verdicts(many, without, ids=range(114), rng=RNG)[-1]
    assert found.p_holm == pytest.approx(11 * one.p)
    assert found.verdict == "no detectable effect"


def test_an_inconclusive_finding_is_a_count_and_no_percentage():
    (found,) = findings_of(judged(gained=5, lost=1), name="EP02")
    assert (found.effect, found.low, found.high) == (5 - 1, -6, 6)
    assert "inconclusive" in found.name and "prompts" in found.unit


def test_a_finding_says_points_and_percent():
    points, relative = findings_of(judged(gained=20, lost=4, same=176), name="EP02")
    assert (points.unit, points.effect) == ("points", 100 * 16 / 200)
    # 180 right without, 196 with
    assert (relative.unit, relative.effect) == ("percent", pytest.approx(100 * 16 / 180))
    assert points.low < points.effect < points.high and relative.low < relative.effect < relative.high


# On a simulated model at known effects

ITEMS = 400


@pytest.fixture(scope="module")
def prompts():
    found = {prompt.id: prompt for prompt in Instructions(knobs=Knobs(pairs=520)).prompts("train")}
    return list(found.values())[:ITEMS]


def edit_to(name):
    return lambda prompt: after_instruction(prompt, EMOTIONAL.text(name))


EDITS = {name: edit_to(name) for name in ELEVEN}


def right_of(model):
    def right(prompts):
        answers = model.answer(prompts, n=1, decoding=Decoding(), seed=0)
        rows = zip(prompts, answers, strict=True)
        return [float(many[0].value == prompt.columns["targets"][0]) for prompt, many in rows]

    return right


def simulated(seed, **planted):
    inert = {EMOTIONAL.text(name): Flips(0.05, 0.05) for name in ELEVEN}
    return Simulated(inert | {EMOTIONAL.text(name): one for name, one in planted.items()}, seed=seed)


def test_twenty_seeds_find_the_planted_sentence_and_no_other(prompts):
    assert len(prompts) == ITEMS
    found = [
        {one.stimulus: one.verdict for one in try_stimuli(right_of(model), prompts, EDITS, rng=RNG)}
        for model in (simulated(seed, EP02=Flips(0.15, 0.05)) for seed in range(20))
    ]
    helped = [one.pop("EP02") == "helps" for one in found]
    alarms = [bool({"helps", "hurts"} & set(one.values())) for one in found]
    assert sum(helped) >= 18  # 90 % of seeds
    assert sum(alarms) <= 1  # 5 % of seeds


def test_the_empty_edit_has_no_effect_at_all(prompts):
    (found,) = try_stimuli(right_of(simulated(0)), prompts, {"none": lambda prompt: prompt}, rng=RNG)
    assert (found.pairs.effect, found.p, found.verdict) == (0, 1, "inconclusive")


def test_the_best_of_eleven_on_the_same_items_is_an_illusion():
    """Pure noise at n = 100 and accuracy 1/2, drawn anew for every sentence.

    A difference has standard deviation sqrt(2 / 4 / 100) = 7.1 points; the largest of 11 that share one baseline is
    about 1.586 times what is left of it without that baseline, sqrt(1 / 4 / 100) = 5 points: 7.9 points.
    """
    rng = np.random.default_rng(5)
    naive, honest = [], []
    for _ in range(400):
        plain, again = rng.random(100) < 0.5, rng.random(100) < 0.5
        with_it = {f"S{place}": rng.random(100) < 0.5 for place in range(11)}
        chosen = best_stimulus(with_it, plain)
        naive.append(max(one.mean() - plain.mean() for one in with_it.values()))
        honest.append((rng.random(100) < 0.5).mean() - again.mean() if chosen != "none" else 0.0)
    assert np.mean(naive) == pytest.approx(1.586 * (1 / 4 / 100) ** 0.5, abs=0.01)
    assert abs(np.mean(honest)) < 0.01


def test_what_was_chosen_on_one_half_gains_nothing_on_the_other_by_chance(prompts):
    effects = []
    for seed in range(40):
        right = right_of(simulated(seed))
        first, second = halves(prompts)
        chosen = choose(right, first, EDITS, by=lambda prompt: "")[""]
        edit = EDITS.get(chosen, lambda prompt: prompt)
        effects.append(try_stimuli(right, second, {"chosen": edit}, rng=RNG)[0].pairs.effect)
    # one effect has standard deviation sqrt(0.1 / 200) = 2.2 points, their mean 0.35
    assert abs(np.mean(effects)) < 0.01


def test_halves_share_no_prompt_and_hang_on_ids_alone(prompts):
    first, second = halves(prompts)
    assert {len(first), len(second)} == {ITEMS // 2}
    assert not {prompt.id for prompt in first} & {prompt.id for prompt in second}
    assert halves([*reversed(prompts), *prompts]) == (first, second)


def test_a_choice_for_every_group():
    asked = [Prompt(id=str(place), content="", columns={"task": "ab"[place % 2]}) for place in range(20)]
    helped = {"S1": "a", "S2": "b"}
    edits = {
        name: (lambda prompt, name=name: Prompt(id=prompt.id, content=name, columns=prompt.columns)) for name in helped
    }

    def right(prompts):
        return [float(helped.get(prompt.content) == prompt.columns["task"]) for prompt in prompts]

    assert choose(right, asked, edits, by=lambda prompt: prompt.columns["task"]) == {"a": "S1", "b": "S2"}
    assert best_stimulus({"S1": [0.0]}, [1.0]) == "none"
    assert best_stimulus({"S1": [1.0]}, [1.0]) == "none"
