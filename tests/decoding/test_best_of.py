"""The best of n is the argmax, honestly drawn; what nobody could score never wins."""

import math
from itertools import product

import pytest

from decoding.stubs import DECODING, PROMPTS, ByNumber, Numbers, number
from operant.decoding.best_of import BestOf
from operant.disk import answer_seed
from operant.errors import BadValue, OperantError
from operant.schema import Generator
from operant.stats import best_of_n_kl


def best(scorer, *, n=4, copies=2, seed=0, prompts=PROMPTS):
    drawn = BestOf(Numbers(), scorer, n=n).answer(prompts, n=copies, decoding=DECODING, seed=seed)
    return [[answer.value for answer in many] for many in drawn]


def candidates(prompt, copy, *, n=4, seed=0):
    return [number(answer_seed(seed, "best-of", copy), prompt.id, place) for place in range(n)]


def test_every_answer_is_the_argmax_of_its_own_candidates():
    expected = [[max(candidates(prompt, copy), key=int) for copy in range(2)] for prompt in PROMPTS]
    assert best(ByNumber()) == expected
    assert best(ByNumber(lambda x: -x))[0][0] == min(candidates(PROMPTS[0], 0), key=int)
    assert best(ByNumber(), copies=1) == [many[:1] for many in expected]
    assert best(ByNumber(), prompts=PROMPTS[::-1]) == expected[::-1]
    assert best(ByNumber(), seed=1) != expected


def test_ties_go_to_the_first():
    assert best(ByNumber(lambda x: 1.0))[0][0] == candidates(PROMPTS[0], 0)[0]


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_unknown_loses_even_to_the_worst(unknown):
    first = [int(candidate) for candidate in candidates(PROMPTS[0], 0)]
    known = min(first)
    assert best(ByNumber(lambda x: -1e9 if x == known else unknown), prompts=PROMPTS[:1], copies=1) == [[str(known)]]


def test_when_nothing_is_known_it_stops_and_says_why_of_that_prompt():
    second = {int(candidate) for candidate in candidates(PROMPTS[1], 0)}
    with pytest.raises(OperantError, match="no candidate of prompt 'two' could be scored: cannot tell"):
        best(ByNumber(lambda x: None if x in second else 1.0), copies=1)


def test_its_kl_is_the_bound():
    generator = BestOf(Numbers(), ByNumber(), n=4)
    kl = generator.kl(object(), PROMPTS, [None] * 3)
    assert kl.values == (math.log(4) - 3 / 4,) * 3 and kl.kind == "bound"
    assert best_of_n_kl(1) == 0.0 and best_of_n_kl(16) == pytest.approx(math.log(16) - 15 / 16)
    assert generator.logps(PROMPTS, [None] * 3) is None


def test_the_bound_holds_and_is_nearly_reached():
    # The best of 3 from 20 equally likely, differently scored values: rank r has (r^3 - (r-1)^3) / 20^3.
    shares = [(rank**3 - (rank - 1) ** 3) / 20**3 for rank in range(1, 21)]
    counted = [0] * 20
    for draws in product(range(20), repeat=3):
        counted[max(draws)] += 1
    assert [count / 20**3 for count in counted] == shares
    kl = sum(share * math.log(share * 20) for share in shares)
    assert 0.95 * best_of_n_kl(3) < kl < best_of_n_kl(3)


def test_points_are_powers_of_two_up_to_n():
    generator = BestOf(Numbers(), ByNumber(), n=12)
    assert [(point.knob, point.value) for point in generator.points()] == [("n", n) for n in (1, 2, 4, 8, 12)]
    assert [point.generator.n for point in generator.points()] == [1, 2, 4, 8, 12]
    assert isinstance(generator, Generator)


def test_it_saves_every_part(tmp_path):
    BestOf(Numbers(), ByNumber(), n=2).save(tmp_path)
    assert (tmp_path / "base" / "base.txt").is_file() and (tmp_path / "scorer" / "scorer.txt").is_file()


def test_no_candidates_is_refused():
    with pytest.raises(BadValue, match="n is 0; expected at least 1"):
        BestOf(Numbers(), ByNumber(), n=0)
