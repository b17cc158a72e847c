"""How right the base's own steps are, told by where it comes to from them."""

from __future__ import annotations

from functools import partial

import pytest

import tiny
from operant.engine.rollouts import rollouts
from operant.loops import step_labels
from operant.loops.step_labels import Solution, solutions, step_values
from operant.meter import charge, metered
from operant.models.text import Encoded, encode_prompt
from operant.schema import Answer, Score

STOP = tiny.base().tokenizer.convert_tokens_to_ids(".")
COUNT = 4


class Told(tiny.Blind):
    """Right is what has a word that begins with a letter of the first half, at the end of the answer."""

    def verify(self, prompts, answers):
        charge(verifier_calls=len(prompts))
        return [Score(value=float(str(answer.value).split()[-1:] < ["m"])) for answer in answers]


@pytest.fixture
def bench(tiny_bench):
    return tiny_bench(task=Told(knobs=tiny.KNOBS), epochs=200)


def solved(bench, answer, *, ends, finish="stop"):
    prompt = bench.task.prompts("train")[0]
    row = Encoded(encode_prompt(bench.base.tokenizer, prompt), answer)
    text = bench.base.tokenizer.decode(answer, skip_special_tokens=True)
    return Solution(prompt, row, Answer(value=text, tokens=answer, finish=finish), ends)


@pytest.fixture
def always_ending(monkeypatch):
    """Completions of four tokens that count as ended: random weights seldom end by themselves."""

    def ended(*args, **more):
        drawn = rollouts(*args, **more)
        finished = partial(Answer, tokens=None, finish="stop")
        return [[one._replace(answer=finished(value=one.answer.value)) for one in many] for many in drawn]

    monkeypatch.setattr(step_labels, "rollouts", ended)


def test_a_step_is_worth_the_share_of_completions_that_are_right(bench, always_ending):
    one = solved(bench, (10, 11, STOP, 12, STOP, 13), ends=(2, 4, 5))
    rows = {
        kind: step_values(bench, [one], kind=kind, n=COUNT, max_tokens=4, share=0.5)[0] for kind in ("soft", "hard")
    }
    # the same draws, completed by hand
    base, shares = bench.base, []
    for asked in step_labels._prefixes(one):
        seed = step_labels.answer_seed(bench.seed, "completions")
        many = rollouts(base.module, base.tokenizer, [asked], n=COUNT, max_tokens=4, seed=seed)[0]
        texts = [base.tokenizer.decode(asked.ids + each.row.answer, skip_special_tokens=True) for each in many]
        shares.append(sum(text.split()[-1:] < ["m"] for text in texts) / COUNT)
    assert rows["soft"].labels[:2] == tuple(shares)
    assert rows["hard"].labels[:2] == tuple(float(share > 0) for share in shares)
    right = float(str(one.answer.value).split()[-1:] < ["m"])
    assert rows["soft"].labels[2] == right == rows["hard"].labels[2]


def test_steps_are_read_behind_their_last_token(bench, always_ending):
    one = solved(bench, (10, STOP, 12), ends=(1, 2))
    steps = step_values(bench, [one], kind="soft", n=2, max_tokens=4, share=0.5)[0].steps
    assert steps.row.answer == (10, STOP, 12, bench.base.tokenizer.eos_token_id)
    assert steps.at == (2, 3)


def test_of_a_whole_answer_only_the_end_is_labelled_and_nothing_is_drawn(bench):
    one = solved(bench, (10, STOP, 12), ends=(1, 2))
    with metered() as cost:
        row = step_values(bench, [one], kind="soft", n=2, max_tokens=4, share=0.5, whole=True)[0]
    assert (len(row.labels), row.steps.at) == (1, (3,))
    assert (cost.sampled_tokens, cost.verifier_calls) == (0, 1)


def test_a_cut_answer_is_wrong(bench):
    one = solved(bench, (10, 11), ends=(1,), finish="length")
    assert step_values(bench, [one], kind="soft", n=2, max_tokens=4, share=0.5)[0].labels == (0.0,)


def test_as_many_solutions_as_the_share_pays_for(tiny_bench):
    bench = tiny_bench(task=Told(knobs=tiny.KNOBS), epochs=1)
    many = [solved(bench, (10 + place, STOP, 12), ends=(1, 2)) for place in range(30)]
    with metered() as cost:
        rows = step_values(bench, many, kind="soft", n=16, max_tokens=6, share=0.5)
    assert 0 < len(rows) < 30
    assert 0.2 < bench.budget.share(cost) <= 0.5


def test_solutions_are_the_pool_s(bench):
    prompts = bench.task.prompts("train")[:3]
    found = solutions(bench, prompts, n=2, max_tokens=4, step_end=r" \.")
    assert [one.answer for one in found] == [answer for many in bench.pool(prompts, 2) for answer in many]
    assert all(one.ends[-1] == len(one.row.answer) - 1 for one in found)
    assert not solutions(bench, prompts, n=2, max_tokens=1000, step_end=r" \.")


def test_prefixes_are_drawn_under_names_of_their_own(bench):
    one, two = (solved(bench, (10, STOP, 12 + place), ends=(1, 2)) for place in range(2))
    asked = [*step_labels._prefixes(one), *step_labels._prefixes(two)]
    assert len({each.prompt.id for each in asked}) == 2
