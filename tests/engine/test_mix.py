"""Mixtures of models: the worked distributions of the GenARM specification, sampling, log-probabilities and KL."""

import math

import pytest
import torch
from scipy.stats import chisquare
from torch import tensor

from models.architectures import EOS, PAD, plain_logps, random_rows, tiny
from operant.engine.guided import mixed_kls, mixed_logps
from operant.engine.mix import Part, mixed
from operant.engine.sampler import Asked, sample_mixed
from operant.models.text import Encoded
from operant.schema import Decoding

STOPS = frozenset({EOS})
BASE, ARM = (0.5, 0.3, 0.2), (0.2, 0.3, 0.5)


def combine(*models: tuple[tuple[float, ...], float]) -> list[float]:
    logits = [tensor(probabilities).log() for probabilities, _ in models]
    return mixed(logits, [Part(None, weight) for _, weight in models]).softmax(-1).tolist()


def normal(*weights: float) -> list[float]:
    return [weight / sum(weights) for weight in weights]


def test_the_worked_mixtures():
    # base x arm = (0.10, 0.09, 0.10) / 0.29; base x arm^2 = (0.020, 0.027, 0.050) / 0.097
    assert combine((BASE, 1), (ARM, 1)) == pytest.approx(normal(0.10, 0.09, 0.10))
    assert combine((BASE, 1), (ARM, 2)) == pytest.approx(normal(0.020, 0.027, 0.050))
    # a guide equal to the base sharpens it: base^2, temperature 1/2
    assert combine((BASE, 1), (BASE, 1)) == pytest.approx(normal(0.25, 0.09, 0.04))


def test_weights_of_no_effect():
    assert combine((BASE, 1), (ARM, 0)) == pytest.approx(list(BASE))
    assert combine((BASE, 1), ((1 / 3,) * 3, 7)) == pytest.approx(list(BASE))  # a uniform guide has no opinion
    assert combine((BASE, 1), (ARM, 0.5), (ARM, 0.5)) == pytest.approx(combine((BASE, 1), (ARM, 1)))


def test_an_offset_of_raw_logits_changes_nothing():
    logits = [tensor(BASE).log() + 40.0, tensor(ARM).log() - 7.0]
    got = mixed(logits, [Part(None, 1.0), Part(None, 2.0)]).softmax(-1)
    assert got.tolist() == pytest.approx(normal(0.020, 0.027, 0.050))


def test_ids_beyond_the_shorter_vocabulary_are_out():
    got = mixed([torch.zeros(5), torch.zeros(3)], [Part(None, 1.0), Part(None, 1.0)]).softmax(-1)
    assert got.tolist() == pytest.approx([1 / 3] * 3 + [0.0] * 2)


def brute(rows: list[Encoded], weight: float) -> list[list[float]]:
    """log p of every answer token under base x guide^weight, from two plain forwards."""
    found = []
    for row in rows:
        ids = tensor([row.prompt + row.answer])
        both = []
        for seed in (0, 1):
            with torch.no_grad():
                both.append(tiny("llama", seed=seed)[0](input_ids=ids).logits[0].double().log_softmax(-1))
        table = (both[0] + weight * both[1]).log_softmax(-1)
        first = len(row.prompt) - 1
        found.append([float(table[first + place, token]) for place, token in enumerate(row.answer)])
    return found


def parts(weight: float) -> list[Part]:
    return [Part(tiny("llama", seed=0)[0]), Part(tiny("llama", seed=1)[0], weight)]


def test_log_probabilities_are_the_renormalised_product():
    rows = random_rows(8)
    for got, expected in zip(mixed_logps(parts(0.7), [rows, rows], pad=PAD), brute(rows, 0.7), strict=True):
        assert list(got) == pytest.approx(expected, abs=1e-5)


def test_sampled_answers_carry_the_mixtures_log_probabilities():
    prompts = [Asked(str(place), (row.prompt, row.prompt)) for place, row in enumerate(random_rows(5))]
    drawn = sample_mixed(parts(0.7), prompts, n=3, decoding=Decoding(max_tokens=6), seed=0, stops=STOPS, pad=PAD)
    rows = [Encoded(asked.ids[0], one.tokens) for asked, many in zip(prompts, drawn, strict=True) for one in many]
    flat = [one for many in drawn for one in many]
    for one, expected in zip(flat, brute(rows, 0.7), strict=True):
        assert list(one.logps) == pytest.approx(expected, abs=1e-5)


def test_first_tokens_follow_the_product():
    prompt = (5, 9)
    draws = 4000
    asked = [Asked("one", (prompt, prompt))]
    drawn = sample_mixed(parts(1.0), asked, n=draws, decoding=Decoding(max_tokens=1), seed=0, stops=STOPS, pad=PAD)
    vocabulary = tiny("llama")[0].config.vocab_size
    expected = [math.exp(brute([Encoded(prompt, (token,))], 1.0)[0][0]) * draws for token in range(vocabulary)]
    counts = [sum(one.tokens[0] == token for one in drawn[0]) for token in range(vocabulary)]
    rare = [token for token in range(vocabulary) if expected[token] < 5]
    kept = [token for token in range(vocabulary) if token not in rare]
    pooled = [sum(many[token] for token in rare) for many in (counts, expected)]
    seen, wanted = (
        [many[token] for token in kept] + [pool] for many, pool in zip((counts, expected), pooled, strict=True)
    )
    assert chisquare(seen, wanted).pvalue > 1e-3


def test_kl_of_a_mixture_by_hand_and_of_the_base_itself():
    rows = [row for row in random_rows(6) if row.answer]
    base = tiny("llama", seed=0)[0]
    assert mixed_kls([Part(base)], [rows], base, rows, pad=PAD) == pytest.approx([0.0] * len(rows), abs=1e-6)
    # one token: sum over the vocabulary of m(v) log(m(v) / base(v))
    row = Encoded((5, 9), (7,))
    vocabulary = range(base.config.vocab_size)
    mixture = [brute([Encoded(row.prompt, (token,))], 0.7)[0][0] for token in vocabulary]
    plain = [plain_logps(base, Encoded(row.prompt, (token,)))[0] for token in vocabulary]
    expected = sum(math.exp(m) * (m - b) for m, b in zip(mixture, plain, strict=True))
    assert mixed_kls(parts(0.7), [[row], [row]], base, [row], pad=PAD) == pytest.approx([expected], abs=1e-5)
