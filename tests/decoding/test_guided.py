"""Guided decoding: what a guide's weight does, what is kept, what is refused."""

import math

import pytest
import torch
from torch import tensor

import tiny
from operant.decoding.guided import Guide, Guided
from operant.decoding.prefix import PrefixGuided
from operant.engine.mix import Part, mixed
from operant.engine.policy import LanguageModel
from operant.errors import OperantError
from operant.models.heads import new_reward_head
from operant.models.loading import PLAIN
from operant.models.small import small_llama
from operant.rewards.model import RewardModel
from operant.schema import Decoding

DECODING = Decoding(max_tokens=8)


def prompts():
    return tiny.graded().prompts("test")[:3]


def guide(seed=1) -> LanguageModel:
    from operant.domains.text.tasks.reviews.grammar import vocabulary

    return LanguageModel(*small_llama(vocabulary(), hidden=16, layers=1, seed=seed))  # half as wide as the base


def texts(generator, **decoding):
    settings = Decoding(max_tokens=8, **decoding)
    return [many[0].value for many in generator.answer(prompts(), n=1, decoding=settings, seed=0)]


def test_at_weight_0_it_is_the_base():
    steered = Guided(tiny.base(), {"arm": Guide(guide(), 0.0)})
    assert texts(steered) == texts(tiny.base())
    answers = [many[0] for many in steered.answer(prompts(), n=1, decoding=DECODING, seed=0)]
    assert steered.kl(tiny.base(), prompts(), answers).values == pytest.approx((0.0,) * 3, abs=1e-6)


def test_a_smaller_guide_steers_and_the_kl_grows_with_its_weight():
    drawn = {}
    for weight in (0.5, 2.0):
        steered = Guided(tiny.base(), {"arm": Guide(guide(), weight)})
        answers = [many[0] for many in steered.answer(prompts(), n=1, decoding=DECODING, seed=0)]
        drawn[weight] = sum(steered.kl(tiny.base(), prompts(), answers).values)
        fresh = steered.logps(prompts(), answers)
        for answer, logps in zip(answers, fresh, strict=True):
            assert list(answer.logps) == pytest.approx(list(logps), abs=1e-5)
    assert drawn[2.0] > drawn[0.5] > 0


def test_one_token_is_drawn_from_the_kl_optimal_policy():
    # the optimum of E[r] - beta KL(pi || base) over one token is base(v) exp(r(v) / beta) / Z; with r = log arm(v)
    # and weight 1 / beta that is the mixture: check the objective at it against random other distributions
    base, arm, beta = tensor([0.5, 0.3, 0.2]), tensor([0.2, 0.3, 0.5]), 0.5
    best = mixed([base.log(), arm.log()], [Part(None, 1.0), Part(None, 1 / beta)]).softmax(-1)

    def objective(policy):
        return (policy * arm.log()).sum() - beta * (policy * (policy / base).log()).sum()

    rng = torch.Generator().manual_seed(0)
    others = torch.rand(1000, 3, generator=rng)
    others = others / others.sum(1, keepdim=True)
    assert max(float(objective(one)) for one in others) <= float(objective(best))
    # and the optimum's value is beta log Z, Z = sum base(v) arm(v)^(1/beta) = 0.020 + 0.027 + 0.050
    assert float(objective(best)) == pytest.approx(beta * math.log(0.097), abs=1e-6)


def test_saved_and_loaded_it_answers_alike(tmp_path):
    steered = Guided(tiny.base(), {"b": Guide(guide(1), 0.7), "a": Guide(guide(2), -0.2)}, ladder=(0.5, 1.0))
    steered.save(tmp_path)
    again = Guided.load(tmp_path, PLAIN)
    assert texts(again) == texts(steered)
    assert [(point.knob, point.value) for point in again.points()] == [("weight", 0.5), ("weight", 1.0)]
    assert texts(again.points()[1].generator) == texts(steered)


def test_another_vocabulary_is_refused_and_the_token_named():
    other = LanguageModel(*small_llama(["zebra"], hidden=16, layers=1))
    with pytest.raises(OperantError, match=r"arm has another tokenizer than the base: token '.+' is None there"):
        Guided(tiny.base(), {"arm": Guide(other, 1.0)})


def reward_model() -> RewardModel:
    base = tiny.base()
    head = new_reward_head(base.module, base.tokenizer, rng=torch.Generator().manual_seed(0))
    with torch.no_grad():
        head.score.weight.mul_(20)
    return RewardModel(head, base.tokenizer, max_length=96)


def test_prefix_guidance_without_weight_and_limit_is_the_base():
    # all 138 words are candidates, the reward counts for nothing: the same inverse-CDF draws over the same words,
    # which only stand in another order, so compare greedily
    steered = PrefixGuided(tiny.base(), reward_model(), top_k=1000, weight=0.0)
    assert texts(steered, temperature=0.0) == texts(tiny.base(), temperature=0.0)


def test_prefix_guidance_picks_what_the_reward_model_likes_best():
    # one token, greedy, a weight that outshouts the base: the candidate of the highest reward
    scorer = reward_model()
    steered = PrefixGuided(tiny.base(), scorer, top_k=5, weight=1e6)
    answer = steered.answer(prompts()[:1], n=1, decoding=Decoding(max_tokens=1, temperature=0.0), seed=0)[0][0]
    ids = tuple(tiny.base().tokenizer(prompts()[0].content)["input_ids"])
    with torch.no_grad():
        likely = tiny.base().module(input_ids=tensor([ids])).logits[0, -1].topk(5).indices.tolist()
        body = scorer.head.base_model
        rewards = {
            token: float(scorer.head.score(body(input_ids=tensor([(*ids, token)]))[0][0, -1])) for token in likely
        }
    assert answer.tokens == (max(rewards, key=rewards.get),)


def test_prefix_guidance_does_not_hang_on_its_batch():
    steered = PrefixGuided(tiny.base(), reward_model(), top_k=5, weight=0.5)
    together = [[one.tokens for one in many] for many in steered.answer(prompts(), n=2, decoding=DECODING, seed=0)]
    for prompt, expected in zip(prompts(), together, strict=True):
        alone = steered.answer([prompt], n=2, decoding=DECODING, seed=0)[0]
        assert [one.tokens for one in alone] == expected
