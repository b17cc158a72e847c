"""Directional stimuli: what is imitated, what a hint is worth, the loss by hand, and an endpoint as the model."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import tiny
from models.stub_server import Reply, stub
from operant.errors import BadValue, NotApplicable, UnknownName
from operant.loops.rounds import Kept, Learnt, Round
from operant.meter import metered
from operant.methods.prompt.directional_stimulus import Config, hint_loss, load, run
from operant.methods.prompt.directional_stimulus.asking import Asking
from operant.methods.prompt.directional_stimulus.imitation import pseudo_hints
from operant.models.endpoint import Endpoint
from operant.models.text import Encoded
from operant.objectives.advantage import leave_one_out
from operant.schema import Answer

SMALL = {"max_tokens": 4, "answer_tokens": 4, "batch_size": 4, "group": 2, "asked": 2, "sft_rate": 1e-3}


def test_settings_without_sense_cannot_be_written():
    for settings in ({"asked": 0}, {"kl": -1}, {"kl_target": 0}, {"imitate": 1}):
        with pytest.raises(BadValue):
            Config(**settings)
    with pytest.raises(UnknownName, match="rude"):
        Config(sentences="rude")


def learnt(advantages, *, gap=(0.0, 0.0)):
    """Two tokens a hint, just drawn: the ratio is 1."""
    count = len(advantages)
    old = torch.full((count, 2), -1.0)
    reference = old - torch.tensor([gap] * count)
    logps = old.clone().requires_grad_()
    whole = Round(0, (tuple(Kept(Encoded((1,), (2, 3)), (), (), 0.0, 0.0) for _ in advantages),), 0.0)
    mask = torch.ones(count, 2, dtype=torch.bool)
    return Learnt(logps, old, reference, mask, torch.zeros(count), torch.tensor(advantages), whole)


def test_the_kl_of_later_tokens_counts_against_earlier_ones():
    # log pi - log ref is 0.3 at the first token and 0.5 at the second; A = 2, beta = 0.1
    # worth: 2 - 0.1 x (0.3 + 0.5) and 2 - 0.1 x 0.5; at ratio 1 the loss is minus their mean
    found = hint_loss(learnt([2.0], gap=(0.3, 0.5)), 0.1)
    assert float(found[0].detach()) == pytest.approx(-((2 - 0.08) + (2 - 0.05)) / 2)


def test_a_constant_metric_teaches_nothing():
    worth = leave_one_out(torch.tensor([[7.0, 7.0, 7.0]]))[0]
    one = learnt(worth.tolist())
    hint_loss(one, 0.1).sum().backward()
    assert (one.logps.grad == 0).all()


def test_a_model_that_always_says_the_same_gives_one_reward_and_is_asked_once(tiny_bench):
    asked = []

    class Same:
        module = tiny.base().module

        def answer(self, prompts, *, n, decoding, seed):
            asked.append((len(prompts), n, decoding.temperature))
            return [[Answer(value="the build is good .")] * n for _ in prompts]

    bench = replace(tiny_bench(), base=Same())
    prompt = bench.task.prompts("train")[0]
    asking = Asking(Config(metric="verifier", stimuli="triggers"), bench)
    scores = asking.reward([prompt] * 4, [Answer(value=" good"), Answer(value="good "), *[Answer(value="poor")] * 2])
    assert {one.value for one in scores} in ({0.0}, {10.0})
    assert asked == [(2, 4, 0.7)]  # two different hints, four answers each


def test_keywords_are_paid_beside_the_answer(tiny_bench):
    bench = tiny_bench()
    prompt = replace(bench.task.prompts("train")[0], columns={"reference": "lee resigned over bribery"})
    asking = Asking(Config(), bench)
    asking.known = {(prompt.id, "lee; obama; lee;"): 0.25, (prompt.id, ""): 0.1}
    hint = Answer(value="lee; obama; lee;")
    assert asking.reward([prompt], [hint])[0].value == pytest.approx(10 * 0.25 + (1 - 0.2 - 0.2))
    other = Asking(Config(unhinted=True, step=0), bench)
    other.known = asking.known
    assert other.reward([prompt], [hint])[0].value == pytest.approx(10 * (0.25 - 0.1))


def test_given_hints_go_first_then_keywords_of_text_and_reference(tiny_bench):
    bench = tiny_bench()
    rows = pseudo_hints(Config(), bench, Asking(Config(), bench))
    chosen = {pair.prompt.id: pair.chosen.value for pair in bench.task.pairs("train")}
    assert all(set(hint.replace(";", "").split()) <= set(str(chosen[one.id]).split()) for one, hint in rows)
    assert all(hint.endswith(";") for _, hint in rows)

    class Given(tiny.Blind):
        def prompts(self, split):
            return [replace(one, columns={**one.columns, "stimulus": "so"}) for one in super().prompts(split)]

    task = tiny_bench(task=Given(knobs=tiny.KNOBS))
    assert {hint for _, hint in pseudo_hints(Config(), task, Asking(Config(), task))} == {"so"}


def test_the_model_is_untouched_and_only_imitating_is_imitation(tiny_bench):
    before = {name: value.clone() for name, value in tiny.base().module.state_dict().items()}
    settings = SMALL | {"metric": "verifier", "stimuli": "triggers", "place": "instruction"}
    learnt, imitated = (run(Config(stage=stage, **settings), tiny_bench(epochs=12)) for stage in ("rl", "sft"))
    assert all((value == before[name]).all() for name, value in tiny.base().module.state_dict().items())
    assert {one.key for one in imitated.findings} >= {"no hint", "sft hint"}
    assert {one.key for one in learnt.findings} >= {"no hint", "sft hint", "rl hint"}
    weights = [one.generator.policy.module.state_dict() for one in (learnt, imitated)]
    assert any((weights[0][name] != weights[1][name]).any() for name in weights[0])


def test_a_rate_of_next_to_nothing_leaves_the_imitating_policy(tiny_bench):
    settings = SMALL | {"metric": "verifier", "stimuli": "triggers", "learning_rate": 1e-12}
    found = {one.key: one.effect for one in run(Config(**settings), tiny_bench(epochs=12)).findings}
    assert found["rl hint"] == found["sft hint"]


def test_a_server_answers_and_a_small_model_writes_its_hints(tiny_bench, tmp_path):
    tiny.base().save(tmp_path / "policy")
    replies = [Reply(status=400, body={"error": {"message": "no"}})]
    good = Reply(
        body={"choices": [{"text": "the build is good", "finish_reason": "stop"}], "usage": {"total_tokens": 3}}
    )
    with stub(lambda number, body: replies.pop() if replies else good) as server:
        base = Endpoint.of(f"endpoint:m@{server.url}")
        bench = replace(tiny_bench(), base=base)
        with pytest.raises(NotApplicable, match="policy=DIR"):
            run(Config(**SMALL), bench)
        asking = Asking(Config(**SMALL), bench)
        with pytest.warns(UserWarning, match="a call failed"):
            replies += [Reply(status=400, body={"error": {"message": "no"}})] * 12
            values = asking.worth(bench.task.prompts("train")[:2], ["good", "good"])
        assert None in values  # dropped, and not worth 0
        with metered() as cost:
            products = run(Config(policy=str(tmp_path / "policy"), **SMALL), bench)
        assert cost.requests > 0 and products.generator.base is base


def test_both_models_are_kept(tiny_bench, tmp_path):
    settings = Config(stage="sft", **SMALL)
    made = run(settings, tiny_bench()).generator
    (tmp_path / "generator").mkdir()
    made.save(tmp_path / "generator")
    again = load(settings, tmp_path, tiny.base()).generator
    prompts, decoding = tiny.graded().prompts("test"), tiny.DECODING
    assert again.answer(prompts, n=1, decoding=decoding, seed=3) == made.answer(prompts, n=1, decoding=decoding, seed=3)
