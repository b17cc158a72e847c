"""KL between two models over whole answers, against the exact sum over every answer there is."""

import math
from functools import cache
from itertools import product

import numpy as np
import pytest

from models.architectures import EOS, PAD, plain_logps, tiny
from operant.engine.logps import all_kls
from operant.engine.policy import LanguageModel
from operant.models.text import Encoded
from operant.schema import Decoding, Prompt
from operant.stats import cell

LONGEST = 3
PROMPT = (4, 5)
PAIRS = ((1, 2), (3, 4))  # seeds of model and base


@cache
def model(seed):
    return LanguageModel(*tiny("llama", words=("a", "b"), seed=seed))


def every_answer():
    """Six tokens, EOS among them: 1 + 5 + 25 answers that stop within three tokens, 125 that are cut."""
    others = [token for token in range(6) if token != EOS]
    stopped = [(*words, EOS) for length in range(LONGEST) for words in product(others, repeat=length)]
    return stopped + list(product(others, repeat=LONGEST))


@cache
def exact(seed, other):
    """(probability of each answer, sum of p log(p / q))."""
    answers = [Encoded(PROMPT, answer) for answer in every_answer()]
    ours = [sum(plain_logps(model(seed).module, row)) for row in answers]
    theirs = [sum(plain_logps(model(other).module, row)) for row in answers]
    probability = [math.exp(one) for one in ours]
    return probability, math.fsum(p * (a - b) for p, a, b in zip(probability, ours, theirs, strict=True))


@pytest.mark.parametrize("seeds", PAIRS)
def test_mean_over_all_answers_is_the_exact_kl(seeds):
    # chain rule: sum over y of p(y) times the sum over t of KL(p(. | y<t) || q(. | y<t)) is KL(p || q)
    probability, expected = exact(*seeds)
    assert len(probability) == 156 and sum(probability) == pytest.approx(1)
    rows = [Encoded(PROMPT, answer) for answer in every_answer()]
    kls = all_kls(model(seeds[0]).module, model(seeds[1]).module, rows, pad=PAD)
    assert expected > 0.3
    assert math.fsum(p * kl for p, kl in zip(probability, kls, strict=True)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seeds", PAIRS)
def test_the_estimate_covers_the_exact_kl(seeds):
    ours, base = model(seeds[0]), model(seeds[1])
    prompt = Prompt(id="p", content="a b")
    [answers] = ours.answer([prompt], n=2000, decoding=Decoding(max_tokens=LONGEST), seed=0)
    kl = ours.kl(base, [prompt] * 2000, answers)
    found = cell(np.array([kl.values]))
    _, expected = exact(*seeds)
    half = (found.high - found.low) / 2
    assert kl.kind == "estimate" and half < 0.05 * expected  # narrow enough to miss a wrong value
    assert abs(found.mean - expected) < half * 3.29 / 1.96  # a 99.9% interval
    # The log-ratio of the same answers is unbiased too, and wider: that is why the per-token KL is used.
    ratios = [
        sum(one) - sum(two)
        for one, two in zip(ours.logps([prompt] * 2000, answers), base.logps([prompt] * 2000, answers), strict=True)
    ]
    assert np.std(ratios) > 1.2 * np.std(kl.values)


def test_kl_to_itself_is_exactly_0():
    ours, prompt = model(1), Prompt(id="p", content="a b")
    [answers] = ours.answer([prompt], n=20, decoding=Decoding(max_tokens=LONGEST), seed=0)
    same = ours.kl(ours, [prompt] * 20, answers)
    assert same.values == (0.0,) * 20 and same.kind == "exact"
    twin = ours.snapshot().kl(ours, [prompt] * 20, answers)
    assert twin.values == (0.0,) * 20


def test_kl_does_not_depend_on_mates():
    ours, base = model(1), model(2)
    rows = [Encoded(PROMPT, (4, 5, 2)), Encoded((4,) * 30, (5,)), Encoded((5,), ())]
    together = all_kls(ours.module, base.module, rows, pad=PAD)
    assert together == pytest.approx([all_kls(ours.module, base.module, [row], pad=PAD)[0] for row in rows], abs=1e-5)
    assert together[2] == 0.0  # an answer without tokens
