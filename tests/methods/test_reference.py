"""The controls: each does the plain thing that its name says."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tiny
from operant.engine.logps import all_logps
from operant.errors import BadValue, OperantError, UnknownName
from operant.methods import load
from operant.models.text import encode
from operant.rewards.judges import LongerWins
from operant.schema import Answer, Decoding, Pair

DECODING = Decoding(max_tokens=6)
LEARN = {"learning_rate": 1e-2, "epochs": 5}


def pairs() -> list[Pair]:
    return tiny.Blind(knobs=tiny.KNOBS).pairs("train")


def logps(policy, side: str) -> list[float]:
    rows = encode(policy.tokenizer, [pair.prompt for pair in pairs()], [getattr(pair, side) for pair in pairs()])
    return [sum(one) for one in all_logps(policy.module, rows, pad=policy.tokenizer.pad_token_id)]


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


def run(slug: str, bench, **settings):
    return load(slug).run(load(slug).config(**settings), bench)


def test_base_is_the_base(tiny_bench):
    assert run("base", tiny_bench()).generator is tiny.base()


def test_sft_raises_the_likelihood_of_the_chosen_answers(tiny_bench):
    policy = run("sft", tiny_bench(epochs=20), **LEARN).generator
    before, after = logps(tiny.base(), "chosen"), logps(policy, "chosen")
    assert all(late > early for early, late in zip(before, after, strict=True))


def test_dpo_raises_the_chosen_answer_against_the_rejected_one(tiny_bench):
    policy = run("dpo", tiny_bench(epochs=20), **LEARN).generator
    margins = [
        (ours_won - base_won) - (ours_lost - base_lost)
        for ours_won, base_won, ours_lost, base_lost in zip(
            logps(policy, "chosen"), logps(tiny.base(), "chosen"),
            logps(policy, "rejected"), logps(tiny.base(), "rejected"), strict=True,
        )
    ]  # fmt: skip
    assert mean(margin > 0 for margin in margins) > 0.9


def test_bradley_terry_ranks_the_pairs_it_was_fitted_to(tiny_bench):
    scorer = run("bradley-terry", tiny_bench(epochs=60), learning_rate=1e-2, epochs=15).scorer
    prompts, chosen, rejected = ([getattr(pair, name) for pair in pairs()] for name in ("prompt", "chosen", "rejected"))
    wins = scorer.compare(prompts, chosen, rejected)
    assert mean(win > 0.5 for win in wins) > 0.9
    assert scorer.scale == "logit"


def test_bradley_terry_asks_for_a_lead_of_the_margin(tiny_bench):
    # Every pair says "better by 4": fitted with the margin, leads are larger than without.
    bench = tiny_bench(epochs=20)
    marked = [replace(pair, margin=4.0) for pair in pairs()]
    bench.task.pairs = lambda split, attribute=None: marked

    def lead(directory, **settings) -> float:
        scorer = run("bradley-terry", replace(bench, dir=bench.dir / directory), **LEARN, **settings).scorer
        won, lost = (
            scorer.score([p.prompt for p in marked], [getattr(p, side) for p in marked])
            for side in ("chosen", "rejected")
        )
        return mean(one.value - two.value for one, two in zip(won, lost, strict=True))

    assert lead("with", use_margin=True) > lead("without") + 1


def test_bradley_terry_knows_the_attributes_of_the_task(tiny_bench):
    with pytest.raises(UnknownName, match="no attribute named 'sentimental'; did you mean 'sentiment'?"):
        run("bradley-terry", tiny_bench(), attribute="sentimental")


def test_best_of_n_is_the_candidate_that_the_proxy_likes_most(tiny_bench):
    # The proxy here counts characters, so the answer is the longest of 8; more candidates, longer answers.
    bench = tiny_bench()
    bench.resolve = lambda slug, settings: type("Made", (), {"scorer": LongerWins()})()
    some = tiny.graded().prompts("test")
    lengths = []
    for n in (1, 8):
        drawn = run("best-of-n", bench, n=n).generator.answer(some, n=1, decoding=tiny.DECODING, seed=0)
        lengths.append([len(many[0].value) for many in drawn])
    assert mean(lengths[1]) > mean(lengths[0])
    with pytest.raises(BadValue, match="n is 0"):
        load("best-of-n").config(n=0)


def test_longer_wins_is_the_judge_of_that_name(tiny_bench):
    assert isinstance(run("longer-wins", tiny_bench()).scorer, LongerWins)


@pytest.mark.parametrize("slug", ["sft", "dpo", "bradley-terry"])
def test_feedback_of_which_nothing_is_left_is_refused(slug, tiny_bench):
    bench = tiny_bench()
    same = Answer(value="the build is good .")
    useless = [replace(pair, chosen=same, rejected=same) for pair in pairs()]
    bench.task.pairs = lambda split, attribute=None: useless
    with pytest.raises(OperantError, match=f"none of the {len(useless)} pairs"):
        run(slug, bench)


def test_dpo_refuses_a_beta_of_zero():
    with pytest.raises(BadValue, match="beta is 0.0"):
        load("dpo").config(beta=0.0)


def test_delta_at_1_is_dpo_and_at_0_the_base(tiny_run):
    prompts = tiny.graded().prompts("test")
    dpo, _ = tiny_run("dpo")
    for alpha, model in ((1.0, dpo.generator), (0.0, tiny.base())):
        products, _ = tiny_run("dpo-delta", alpha=alpha)
        answers = [many[0] for many in model.answer(prompts, n=1, decoding=DECODING, seed=0)]
        expected = model.logps(prompts, answers)
        for got, wanted in zip(products.generator.logps(prompts, answers), expected, strict=True):
            assert list(got) == pytest.approx(list(wanted), abs=1e-5)


def test_args_reads_the_proxy_at_every_token(tiny_run):
    products, cost = tiny_run("args")
    assert cost.backward_flops > 0  # the proxy's fit is charged
    assert [point.value for point in products.generator.points()] == [0.75, 1.5, 3.0]
    with pytest.raises(BadValue, match="top_k"):
        load("args").config(top_k=0)
