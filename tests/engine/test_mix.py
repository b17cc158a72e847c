"""Mixtures of models: the worked distributions of the GenARM specification, sampling, log-probabilities and KL."""

import math
from typing import Any

import pytest
import torch
from torch import tensor

from engine.enumerated import TOKENS, assert_drawn_from, probabilities
from models.architectures import ARCHITECTURES, EOS, PAD, plain_logps, random_model, random_rows, tiny
from operant.engine.guided import mixed_kls, mixed_logps
from operant.engine.mix import Part, mixed
from operant.engine.processor import GuidedLogits
from operant.engine.sampler import Asked, Source, sample_from
from operant.models.text import Encoded
from operant.schema import Decoding

STOPS = frozenset({EOS})
DRAWS = 3000
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


def brute(rows: list[Encoded], weight: float, models: Any = None, *, temperature: float = 1.0) -> list[list[float]]:
    """log p of every answer token under (base x guide^weight)^(1 / temperature), from two plain forwards."""
    found = []
    for row in rows:
        ids = tensor([row.prompt + row.answer])
        with torch.no_grad():
            both = [one(input_ids=ids).logits[0].double().log_softmax(-1) for one in models or llamas()]
        table = ((both[0] + weight * both[1]) / temperature).log_softmax(-1)
        first = len(row.prompt) - 1
        found.append([float(table[first + place, token]) for place, token in enumerate(row.answer)])
    return found


def llamas() -> list[Any]:
    return [tiny("llama", seed=seed).module for seed in (0, 1)]


def parts(weight: float, models: Any = None) -> list[Part]:
    base, guide = models or llamas()
    return [Part(base), Part(guide, weight)]


def test_log_probabilities_are_the_renormalised_product():
    rows = random_rows(8)
    for got, expected in zip(mixed_logps(parts(0.7), [rows, rows], pad=PAD), brute(rows, 0.7), strict=True):
        assert list(got) == pytest.approx(expected, abs=1e-5)


def test_sampled_answers_carry_the_mixtures_log_probabilities():
    prompts = [Asked(str(place), (row.prompt, row.prompt)) for place, row in enumerate(random_rows(5))]
    drawn = sample_from(Source(parts(0.7)), prompts, n=3, decoding=Decoding(max_tokens=6), seed=0, stops=STOPS, pad=PAD)
    rows = [Encoded(asked.ids[0], one.tokens) for asked, many in zip(prompts, drawn, strict=True) for one in many]
    flat = [one for many in drawn for one in many]
    for one, expected in zip(flat, brute(rows, 0.7), strict=True):
        assert list(one.logps) == pytest.approx(expected, abs=1e-5)


def test_first_tokens_follow_the_product():
    prompt = (5, 9)
    asked = [Asked("one", (prompt, prompt))]
    [drawn] = sample_from(
        Source(parts(1.0)), asked, n=4000, decoding=Decoding(max_tokens=1), seed=0, stops=STOPS, pad=PAD
    )
    vocabulary = range(tiny("llama").module.config.vocab_size)
    exact = {(token,): math.exp(brute([Encoded(prompt, (token,))], 1.0)[0][0]) for token in vocabulary}
    assert_drawn_from([one.tokens for one in drawn], exact)


# Each guided by the next: other sizes of key heads, other positions, other output layers.
GUIDED = tuple(zip(ARCHITECTURES, (*ARCHITECTURES[1:], ARCHITECTURES[0]), strict=True))
UNUSUAL = (("Gemma2", "Mistral"), ("Mistral", "GptOss"), ("GptOss", "gpt2"), ("Cohere", "Bloom"), ("Bloom", "Gemma2"))


@pytest.mark.parametrize("weight", [0.7, -0.5])
@pytest.mark.parametrize("names", [*GUIDED, *UNUSUAL], ids=" by ".join)
@pytest.mark.filterwarnings("ignore:.*which is slower:UserWarning")
def test_every_architecture_guides_another(names, weight):
    models, rows = [random_model(name) for name in names], random_rows(8, seed=2)
    found = mixed_logps(parts(weight, models), [rows, rows], pad=PAD)
    for got, expected in zip(found, brute(rows, weight, models), strict=True):
        assert list(got) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "temperature, names", [(1.0, names) for names in GUIDED] + [(0.5, GUIDED[0])], ids=lambda one: f"{one}"
)
def test_whole_answers_follow_the_product(names, temperature):
    # p(x) p(y | x), both from the product of two tables of six, renormalised
    models = [tiny(name, words=TOKENS).module for name in names]
    prompts = [Asked("long", ((5,) * 11, (4,) * 7)), Asked("x", ((4, 5), (4, 5)))]
    decoding = Decoding(max_tokens=2, temperature=temperature)
    drawn = sample_from(Source(parts(0.7, models)), prompts, n=DRAWS, decoding=decoding, seed=3, stops=STOPS, pad=PAD)
    exact = probabilities(lambda answer: brute([Encoded((4, 5), answer)], 0.7, models, temperature=temperature)[0])
    assert_drawn_from([one.tokens for one in drawn[1]], exact)


def cut(table: list[float], *, top_k: int = 6, top_p: float = 1.0) -> list[float]:
    """The `top_k` likeliest; of those the fewest, likeliest first, that hold `top_p` of their sum; renormalised."""
    likeliest = sorted(range(len(table)), key=table.__getitem__, reverse=True)[:top_k]
    wanted, kept = top_p * sum(table[token] for token in likeliest), dict.fromkeys(range(len(table)), 0.0)
    for token in likeliest:
        if sum(kept.values()) < wanted:
            kept[token] = table[token]
    return normal(*kept.values())


def test_cutting_by_hand():
    table = [0.1, 0.4, 0.3, 0.2]
    assert cut(table, top_k=2) == pytest.approx([0, 4 / 7, 3 / 7, 0])
    assert cut(table, top_p=0.75) == pytest.approx([0, 4 / 9, 3 / 9, 2 / 9])  # two hold 0.7, three 0.9
    assert cut(table, top_k=3, top_p=0.75) == pytest.approx([0, 4 / 7, 3 / 7, 0])  # two hold 7/9 of three


@pytest.mark.parametrize(
    "temperature, limits", [(1.0, {"top_k": 3}), (1.0, {"top_p": 0.7}), (1.5, {"top_k": 4, "top_p": 0.8})]
)
def test_answers_that_generate_cuts_follow_the_cut_product(temperature, limits):
    """Our samplers draw from whole distributions; transformers cuts, behind the mixing."""
    base, guide = models = [tiny(name, words=TOKENS).module for name in ("llama", "gpt2")]

    def logp(before: tuple[int, ...], token: int) -> float:
        each = [brute([Encoded(before, (other,))], 0.7, models, temperature=temperature)[0][0] for other in range(6)]
        share = cut([math.exp(one) for one in each], **limits)[token]
        return math.log(share) if share else -math.inf

    exact = probabilities(lambda answer: [logp((4, 5, *answer[:place]), token) for place, token in enumerate(answer)])
    ids = tensor([[4, 5]]).expand(DRAWS, 2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn = base.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=True, max_new_tokens=2, eos_token_id=EOS,
            pad_token_id=PAD, temperature=temperature, **({"top_k": 0} | limits),
            logits_processor=[GuidedLogits(guide, 0.7, attention_mask=torch.ones_like(ids))],
        )  # fmt: skip
    assert_drawn_from([(EOS,) if one[0] == EOS else tuple(one) for one in drawn[:, 2:].tolist()], exact)


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
