"""Every answer has its own seed; what is drawn, and its log-probabilities, are those of the model."""

import math
from itertools import takewhile

import pytest
import torch

from engine.batches import EVERY
from engine.enumerated import DRAWS, TOKENS, assert_drawn_from, probabilities
from models.architectures import ARCHITECTURES, EOS, PAD, plain_logps, random_model, tiny
from operant.engine import sampler
from operant.engine.policy import LanguageModel
from operant.engine.sampler import pick, sample
from operant.errors import BadValue
from operant.models.text import Encoded
from operant.schema import Decoding, Prompt

PROMPTS = [("one", (5,)), ("two", tuple(range(4, 24)) * 2), ("three", (9, 8, 7)), ("four", (5,)), ("five", (20, 4))]
GREEDY = Decoding(max_tokens=12, temperature=0.0)
NEVER = 99  # no token: answers go on to their limit


def draw(name, prompts, *, n=1, tokens=8, temperature=1.0, seed=3, words=None):
    module = random_model(name) if words is None else tiny(name, words=words).module
    decoding = Decoding(max_tokens=tokens, temperature=temperature)
    return sample(module, prompts, n=n, decoding=decoding, seed=seed, stops=frozenset({EOS}), pad=PAD)


def assert_same(ours, theirs):
    assert ours.tokens == theirs.tokens and ours.stopped == theirs.stopped
    assert ours.logps == pytest.approx(theirs.logps, abs=1e-5)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_answer_is_the_same_alone_in_a_batch_and_with_any_n(name):
    together = draw(name, PROMPTS, n=8)
    assert [len(many) for many in together] == [8] * 5
    for place, prompt in enumerate(PROMPTS):
        for ours, theirs in zip(draw(name, [prompt], n=8)[0], together[place], strict=True):
            assert_same(ours, theirs)
        assert_same(draw(name, [prompt], n=1)[0][0], together[place][0])
    for many, backwards in zip(together, reversed(draw(name, PROMPTS[::-1], n=3)), strict=True):
        for ours, theirs in zip(backwards, many[:3], strict=True):
            assert_same(ours, theirs)


@pytest.mark.filterwarnings("ignore:.*which is slower")
@pytest.mark.parametrize(
    "rows, name", [(1, "llama"), (3, "llama"), (11, "Bloom"), *((11, name) for name in ARCHITECTURES)]
)
def test_how_many_are_in_flight_changes_nothing(rows, name, monkeypatch):
    expected = draw(name, PROMPTS, n=5)
    monkeypatch.setattr(sampler, "ROWS", rows)
    for many, others in zip(draw(name, PROMPTS, n=5), expected, strict=True):
        for ours, theirs in zip(many, others, strict=True):
            assert_same(ours, theirs)


def test_seed_prompt_and_copy_each_change_the_answer():
    first = draw("llama", PROMPTS, n=4)
    tokens = [answer.tokens for answer in first[0] + first[3]]  # "one" and "four" are the same text
    assert len(set(tokens)) == 8
    assert draw("llama", PROMPTS[:1], seed=4)[0][0].tokens != tokens[0]


def test_a_longer_limit_goes_on_where_the_shorter_stopped():
    for many, longer in zip(draw("gpt2", PROMPTS, n=4, tokens=3), draw("gpt2", PROMPTS, n=4, tokens=20), strict=True):
        for ours, theirs in zip(many, longer, strict=True):
            assert ours.tokens == theirs.tokens[:3]


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_logps_are_those_of_a_fresh_forward(name, temperature):
    module, _ = tiny(name)
    for (_, ids), many in zip(PROMPTS, draw(name, PROMPTS, n=3, temperature=temperature), strict=True):
        for answer in many:
            fresh = plain_logps(module, Encoded(ids, answer.tokens), temperature=temperature)
            assert answer.logps == pytest.approx(fresh, abs=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_greedy_equals_generate(name):
    """Token by token. They part only where the two likeliest lie within 1e-4, and at no more than one such place."""
    module = random_model(name)
    compared = parted = 0
    for end, prompts in ((EOS, PROMPTS[:3]), (NEVER, [*PROMPTS[1:3], PROMPTS[4]])):
        drawn = sample(module, prompts, n=1, decoding=GREEDY, seed=0, stops=frozenset({end}), pad=PAD)
        for (_, ids), [answer] in zip(prompts, drawn, strict=True):
            theirs = by_generate(module, ids, tokens=12, end=end)
            same = sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(answer.tokens, theirs, strict=False)))
            compared += same
            if list(answer.tokens) != theirs:
                with torch.no_grad():
                    best, second = module(torch.tensor([ids + answer.tokens[:same]])).logits[0, -1].topk(2).values
                assert best - second < 1e-4, f"{name}: token {same} differs"
                parted += 1
    assert parted <= 1 and compared >= 39 - 12 * parted  # 3 x 12 where nothing ends, and 3 answers of 1 to 12


def by_generate(module, ids, *, tokens, end):
    asked = torch.tensor([ids])
    return module.generate(
        asked, attention_mask=torch.ones_like(asked), do_sample=False, max_new_tokens=tokens, eos_token_id=end,
        pad_token_id=PAD,
    )[0, len(ids) :].tolist()  # fmt: skip


@pytest.mark.parametrize(
    "temperature, name", [(1.0, name) for name in ARCHITECTURES] + [(0.5, "gpt2"), (2.0, "llama"), (2.0, "gemma")]
)
def test_whole_answers_have_their_exact_probabilities(temperature, name):
    # p(x) p(y | x), and p(</s>) for answers that end at once
    prompts = [("long", (5,) * 11), ("x", (4, 5))]  # padded beside another
    module = tiny(name, words=TOKENS).module
    exact = probabilities(lambda answer: plain_logps(module, Encoded((4, 5), answer), temperature=temperature))
    _, drawn = draw(name, prompts, n=DRAWS, tokens=2, temperature=temperature, words=TOKENS)
    assert_drawn_from([answer.tokens for answer in drawn], exact)


def test_eos_is_included_exactly_when_the_answer_stopped():
    module, tokenizer = tiny("llama", words=("a", "b"))
    prompts = [Prompt(id=str(place), content="a b") for place in range(20)]
    answers = LanguageModel(module, tokenizer).answer(prompts, n=4, decoding=Decoding(max_tokens=5), seed=0)
    flat = [answer for many in answers for answer in many]
    assert {answer.finish for answer in flat} == {"stop", "length"}
    for answer in flat:
        assert len(answer.logps) == len(answer.tokens) <= 5
        assert EOS not in answer.tokens[:-1]
        assert (answer.tokens[-1] == EOS) == (answer.finish == "stop")
        assert len(answer.tokens) == 5 or answer.finish == "stop"
        assert answer.value.split() == ["ab"[token - 4] for token in answer.tokens if token > 3]  # 3 is <unk>


def test_pick_by_hand():
    # p = 1/2, 1/4, 0, 1/4: the distribution function is 1/2, 3/4, 3/4, 1, and a token starts where the one before ends.
    logits = torch.tensor([[0.5, 0.25, 0.0, 0.25]]).log().expand(6, 4)
    draws = torch.tensor([0.0, 0.499, 0.501, 0.749, 0.751, 0.999], dtype=torch.float64)
    token, logp = pick(logits, draws, temperature=1.0)
    assert token.tolist() == [0, 0, 1, 1, 3, 3]
    assert logp.exp().tolist() == pytest.approx([0.5, 0.5, 0.25, 0.25, 0.25, 0.25])
    # temperature 1/2 squares: 1/4, 1/16, 0, 1/16 of 3/8, so 2/3, 1/6, 0, 1/6
    token, logp = pick(logits, draws, temperature=0.5)
    assert token.tolist() == [0, 0, 0, 1, 1, 3]
    assert logp[[0, 3, 5]].exp().tolist() == pytest.approx([2 / 3, 1 / 6, 1 / 6])
    # a token without probability is never drawn, not even by a draw of exactly 0
    assert pick(torch.tensor([[0.0, 0.5, 0.5]]).log(), draws[:1], temperature=1.0)[0].tolist() == [1]
    token, logp = pick(logits, draws, temperature=0.0)
    assert token.tolist() == [0] * 6 and logp[0].item() == pytest.approx(math.log(0.5))


@pytest.mark.parametrize("wrong", [{"n": 0}, {"tokens": 0}, {"temperature": -1.0}, {"temperature": math.nan}])
def test_settings_that_sample_nothing_are_refused(wrong):
    with pytest.raises(BadValue):
        draw("llama", PROMPTS, **wrong)


def test_no_prompt_no_answer():
    assert draw("llama", [], n=3) == []
