"""DeAL's search: where it is greedy decoding, what a look-ahead credits, and brute force."""

from math import inf, nan

import pytest
import torch

from models.architectures import tiny
from operant.decoding.lookahead import LookAhead, Looking
from operant.engine.policy import LanguageModel
from operant.errors import BadValue
from operant.models.text import decode, encode_prompt, stop_ids
from operant.schema import Decoding, Prompt

PROMPTS = [Prompt(id="0", content="a b c"), Prompt(id="1", content="b"), Prompt(id="2", content="t s r q p")]
SIX = Decoding(max_tokens=6)


@pytest.fixture(scope="module")
def base() -> LanguageModel:
    small = tiny("llama", seed=0)
    return LanguageModel(small.module, small.tokenizer)


def letters(_, answers):
    """A reward that the model does not know of, of whatever part of an answer there is."""
    return [liked(answer.value) for answer in answers]


def liked(text):
    return sum(letter in "abcdefgh" for letter in text) - 0.5 * sum(letter in "qrst" for letter in text)


def searched(base, reward=letters, decoding=SIX, **how):
    owner = LookAhead(base, reward, Looking(**how), save_reward=lambda _: None)
    return [one for (one,) in owner.answer(PROMPTS, n=1, decoding=decoding, seed=0)]


def greedy(base):
    drawn = base.answer(PROMPTS, n=1, decoding=Decoding(max_tokens=6, temperature=0.0), seed=0)
    return [one.tokens for (one,) in drawn]


@pytest.mark.parametrize(
    "reward, how",
    [
        (letters, {"weight": 0.0}),  # no weight
        (letters, {"weight": 5.0, "top_k": 1}),  # no choice
        (lambda _, answers: [3.0] * len(answers), {"weight": 5.0}),  # no opinion
    ],
)
def test_where_it_is_greedy_decoding(base, reward, how):
    assert [one.tokens for one in searched(base, reward, shortest=0, **how)] == greedy(base)


def next_logps(base, ids):
    with torch.no_grad():
        return base.module(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(-1)


def test_the_second_token_wins_as_soon_as_its_reward_outweighs_its_odds(base):
    # one step, no look-ahead: log p1 + 0 against log p2 + weight 1, so the second wins iff weight > log p1 - log p2
    top = next_logps(base, encode_prompt(base.tokenizer, PROMPTS[0])).topk(2)
    first, second = top.indices.tolist()
    odds = float(top.values[0] - top.values[1])
    likes = lambda _, answers: [float(answer.tokens[0] == second) for answer in answers]  # noqa: E731
    for weight, wanted in ((odds - 1e-3, first), (odds + 1e-3, second)):
        [found, *_] = searched(base, likes, Decoding(max_tokens=1), weight=weight, top_k=2, look=0, shortest=0)
        assert found.tokens == (wanted,)


def brute(base, prompt, *, weight, top_k, look, beams):
    """The same search, each text read from its beginning."""
    stops, tokenizer = stop_ids(base.module, base.tokenizer), base.tokenizer
    ids = encode_prompt(tokenizer, prompt)

    def ahead(tokens):
        for _ in range(min(look, SIX.max_tokens - len(tokens))):
            if tokens[-1] in stops:
                break
            tokens = (*tokens, int(next_logps(base, ids + tokens).argmax()))
        return tokens

    def worth(tokens, logp):
        return logp + weight * liked(decode(tokenizer, ahead(tokens)))

    kept = [(0.0, (), 0.0)]
    while any(not tokens or tokens[-1] not in stops and len(tokens) < SIX.max_tokens for _, tokens, _ in kept):
        found = []
        for score, tokens, logp in kept:
            if tokens and (tokens[-1] in stops or len(tokens) == SIX.max_tokens):
                found.append((score, tokens, logp))
                continue
            likely = next_logps(base, ids + tokens).topk(top_k)
            for more, token in zip(likely.values.tolist(), likely.indices.tolist(), strict=True):
                longer = (*tokens, token)
                found.append((worth(longer, logp + more), longer, logp + more))
        kept = sorted(found, key=lambda one: -one[0])[:beams]
    return kept[0][1]


@pytest.mark.parametrize("how", [
    {"weight": 0.8, "top_k": 3, "look": 0, "beams": 1}, {"weight": 0.8, "top_k": 3, "look": 3, "beams": 1},
    {"weight": 0.5, "top_k": 4, "look": 2, "beams": 3},
])  # fmt: skip
def test_the_search_is_that_of_brute_force(base, how):
    found = [one.tokens for one in searched(base, shortest=0, **how)]
    assert found == [brute(base, prompt, **how) for prompt in PROMPTS]
    assert found != greedy(base)  # the reward has an effect


def test_looking_further_changes_what_is_chosen(base):
    near, far = (searched(base, weight=0.8, top_k=4, look=look) for look in (0, 5))
    assert [one.tokens for one in near] != [one.tokens for one in far]


def test_an_answer_is_not_ended_early(base):
    shy = lambda _, answers: [-10.0 * len(answer.tokens) for answer in answers]  # noqa: E731
    stops = stop_ids(base.module, base.tokenizer)
    short, longer = (searched(base, shy, weight=50.0, top_k=24, look=4, shortest=least) for least in (0, 3))
    assert any(one.tokens[0] in stops for one in short)
    assert all(len(one.tokens) > 3 or one.tokens[-1] not in stops for one in longer)


def test_a_length_in_the_balance(base):
    whole, mean = (searched(base, weight=0.5, beams=3, per_token=each) for each in (False, True))
    assert [one.tokens for one in whole] != [one.tokens for one in mean]


def test_rewards_that_are_no_numbers_are_never_chosen(base):
    wild = lambda _, answers: [nan if "a" in one.value else inf if "b" in one.value else 0.0 for one in answers]  # noqa: E731
    with pytest.warns(UserWarning, match="rewards are not finite"):
        found = searched(base, wild, weight=1.0, top_k=24, look=0)
    assert not any(set(one.value) & {"a", "b"} for one in found)


def test_settings_without_sense_are_refused():
    with pytest.raises(BadValue, match="top_k or beams"):
        Looking(weight=1.0, top_k=0)
    with pytest.raises(BadValue, match="weight is nan"):
        Looking(weight=nan)
