"""Rounds of pairs of own answers: who is asked, what is learnt, what it costs, and what a round starts from."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

import tiny
from operant.engine.logps import all_logps
from operant.errors import BadValue, OperantError
from operant.loops.iterated_preference import Iterated, Preferring, iterated_preference, parted, referenced
from operant.loops.student import left
from operant.meter import charge, metered
from operant.objectives.soft_preference import soft_dpo_loss
from operant.schema import Pair
from operant.training.pairs import pair_rows

SETTINGS = Iterated(learning_rate=3e-3, batch_size=8, samples=4, max_tokens=6, rounds=2, epochs=4)


def wanted(answer) -> int:
    """How many words come early in the alphabet, which a policy can learn in a few rounds."""
    return sum(word < "k" for word in str(answer.value).split())


def best_and_worst(now):
    found = []
    for one in now.drawn:
        ranked = sorted(one.answers, key=wanted)
        if wanted(ranked[-1]) > wanted(ranked[0]):
            found.append(Pair(prompt=one.prompt, chosen=ranked[-1], rejected=ranked[0]))
    return found


def loss(logps, labels):
    return soft_dpo_loss(logps.chosen, logps.rejected, labels, beta=0.1)


def mean_wanted(policy) -> float:
    drawn = policy.answer(tiny.graded().prompts("test"), n=16, decoding=tiny.DECODING, seed=9)
    counts = [wanted(answer) for many in drawn for answer in many]
    return sum(counts) / len(counts)


def test_what_wins_becomes_likelier_from_round_to_round(tiny_bench):
    found = iterated_preference(tiny_bench(epochs=60), Preferring(pairs=best_and_worst, loss=loss), SETTINGS)
    student = found.student
    means = [mean_wanted(student.after(fits)) for fits in range(3)]
    assert all(one < other for one, other in pairwise(means)), means
    assert len(found.pairs) == 2 and min(found.pairs) > 0
    assert [point.value for point in student.finished().points()] == sorted(student.ends)


def test_rounds_ask_different_prompts_and_all_of_them(tiny_bench):
    parts = parted(tiny_bench(), replace(SETTINGS, rounds=3))
    ids = [one.prompt.id for part in parts for one in part]
    assert len(ids) == len(set(ids)) == len(tiny.Blind(knobs=tiny.KNOBS).prompts("train"))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_round_starts_from_the_policy_or_from_what_the_method_wants(tiny_bench):
    """With its own policy as reference every log-ratio is 0 at first; with the base's only in the first round."""
    firsts = {}
    for name, reference in (("current", lambda student: student.policy), ("base", lambda _: tiny.base())):
        seen = []

        def told(logps, labels, seen=seen):
            seen.append(float(logps.chosen.abs().max().detach()))
            return loss(logps, labels)

        bench, settings = tiny_bench(epochs=60), replace(SETTINGS, epochs=1, batch_size=64)
        iterated_preference(bench, Preferring(pairs=best_and_worst, loss=told, reference=reference), settings)
        firsts[name] = seen
    assert firsts["current"] == pytest.approx([0.0, 0.0], abs=1e-4)
    assert firsts["base"][0] == pytest.approx(0.0, abs=1e-4) and firsts["base"][1] > 0.01


def test_labels_are_the_pairs_margins(tiny_bench):
    seen = []

    def told(logps, labels):
        seen.extend(labels.tolist())
        return loss(logps, labels)

    def soft(now):
        return [replace(pair, margin=None if at else 0.25) for at, pair in enumerate(best_and_worst(now))]

    iterated_preference(tiny_bench(epochs=60), Preferring(pairs=soft, loss=told), replace(SETTINGS, epochs=1, rounds=1))
    assert set(seen) == {0.25, 1.0}


def test_a_reference_reads_each_answer_once():
    base, pairs = tiny.base(), tiny.graded().pairs("train")[:3]
    rows = pair_rows(base.tokenizer, [*pairs, *pairs], max_length=96)
    with metered() as cost:
        found = referenced(rows, base)
    with metered() as once:
        sums = [sum(one) for one in all_logps(base.module, [row.chosen for row in rows[:3]], pad=0)]
        all_logps(base.module, [row.rejected for row in rows[:3]], pad=0)
    assert [row.chosen_reference for row in found] == pytest.approx([*sums, *sums], abs=1e-4)
    assert cost.forward_tokens <= once.forward_tokens


def test_the_budget_is_kept_and_used(tiny_bench):
    bench = tiny_bench(epochs=12)
    with metered() as cost:
        iterated_preference(bench, Preferring(pairs=best_and_worst, loss=loss, reads=2), replace(SETTINGS, epochs=None))
    assert 0.8 < bench.budget.share(cost) <= 1.0


def test_what_is_reserved_is_left(tiny_bench):
    bench = tiny_bench(epochs=12)
    with metered():
        whole = left(bench)
        recipe = Preferring(pairs=best_and_worst, loss=loss, reserve=whole / 4)
        iterated_preference(bench, recipe, replace(SETTINGS, epochs=None))
        assert whole / 4 <= left(bench) < whole / 3


def test_labels_are_planned(tiny_bench):
    # the ceiling does not have 50 labels for every prompt
    bench = tiny_bench(epochs=60)
    with metered():
        labels = bench.budget.plan(flops_per_step=1.0, labels_per_step=1.0)

        def asking(now):
            charge(labels=50 * len(now.drawn))
            return best_and_worst(now)

        found = iterated_preference(bench, Preferring(pairs=asking, loss=loss, labels=50), SETTINGS)
    first = labels // 2 // 50
    assert found.prompts == [first, (labels - 50 * first) // 50] and first < 12


def test_the_same_seed_gives_the_same_policy_and_another_gives_another(tiny_bench):
    def weights(seed):
        learnt = iterated_preference(tiny_bench(seed=seed), Preferring(pairs=best_and_worst, loss=loss), SETTINGS)
        return torch.cat([one.flatten() for one in learnt.student.policy.module.parameters()])

    first, again, other = weights(0), weights(0), weights(1)
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_without_a_pair_it_says_so_and_later_rounds_may_have_none(tiny_bench):
    with pytest.raises(OperantError, match="none of 12 prompts with 4 answers each left a pair"):
        iterated_preference(tiny_bench(epochs=60), Preferring(pairs=lambda _: [], loss=loss), SETTINGS)
    once = Preferring(pairs=lambda now: best_and_worst(now) if now.number == 0 else [], loss=loss)
    assert len(iterated_preference(tiny_bench(), once, SETTINGS).student.ends) == 1


@pytest.mark.parametrize("settings", [{"rounds": 0}, {"samples": 1}, {"top_p": 0.0}, {"later": 0.0}, {"sampling": 1.0}])
def test_settings_outside_their_range_are_refused(settings):
    with pytest.raises(BadValue, match=next(iter(settings))):
        replace(SETTINGS, **settings)
