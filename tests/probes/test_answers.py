"""Answers behind markers: where the marker goes, byte for byte, and probabilities against those of single tokens."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest

import tiny
from operant.domains.text.tasks.forum import Forum, Knobs
from operant.engine.policy import LanguageModel
from operant.errors import NotApplicable
from operant.models.small import small_llama
from operant.probes.answers import (
    Question,
    Slot,
    Table,
    cell_of,
    closed_set,
    drawn,
    holds,
    log_probabilities,
    others,
    questions_of,
    slot,
)
from operant.probes.positions import in_positions, one_token
from operant.schema import Answer, Decoding, Prompt

WORDS = (*"abcdefgh", "Q:", "A:", "It", "is", "cat", "dog", "a\nQ:")
TALK = Prompt(id="t", content=({"role": "user", "content": "a b"},))


@pytest.fixture(scope="module")
def model():
    import torch

    made = LanguageModel(*small_llama(WORDS, hidden=32, layers=1, seed=3))
    with torch.no_grad():
        made.module.get_input_embeddings().weight.mul_(4)  # opinions strong enough to differ
    made.tokenizer.chat_template = "{% for turn in messages %}a {{ turn.content }} {% endfor %}b"
    return made


def asked(text, name="p"):
    return Prompt(id=name, content=text)


def question(text="Q: a\nA:", accepted=("cat",), rest=("dog", "e f"), name="p"):
    return Question(asked(text, name), accepted, rest)


def test_where_a_marker_stands_by_hand():
    assert slot(asked("Q: a\nA:"), "It is").prompt.content == "Q: a\nA: It is"
    assert slot(asked("Answer: "), "It is").prompt.content == "Answer: It is"
    assert slot(asked("Q\n"), "It is").prompt.content == "Q\nIt is"
    assert slot(asked("Q: a\nA:"), "It is").answer("cat") == " cat"
    assert slot(asked("Answer: "), "").answer("cat") == "cat"
    assert slot(asked("A:"), "It is", begun=True) == Slot(asked("A:"), "It is")
    assert slot(asked("A:"), "It is", begun=True).answer("cat") == " It is cat"
    assert slot(asked("A: "), "It is", begun=True).answer("cat") == "It is cat"


def test_no_marker_is_the_same_prompt_byte_for_byte():
    for text in ("Q: a\nA:", "Answer: ", "", "x  "):
        assert slot(asked(text), "").prompt is not None and slot(asked(text), "").prompt.content == text


def test_a_conversation_is_never_changed_only_the_answer_is_begun():
    here = slot(TALK, "It is")
    assert here.prompt == TALK and here.answer("cat") == "It is cat"


def test_begun_and_written_out_are_one_to_the_model(model):
    both = [[slot(asked("Q: a\nA:"), "It is", begun=begun)] for begun in (False, True)]
    one, two = (log_probabilities(model, some, ["e f"], ends=True) for some in both)
    assert one == pytest.approx(two, abs=1e-5)


def test_one_alias_is_its_tokens_probability(model):
    (logps,) = model.logps([asked("Q: a\nA: It is")], [Answer(value=" cat", finish="length")])
    table = closed_set(model, [question(rest=())], ["It is"], ends=False)
    assert table.gold[0, 0] == pytest.approx(exp(logps[0]), abs=1e-6) and len(logps) == 1
    assert table.correct[0, 0] == 1  # alone in its set


def test_the_right_answers_are_no_likelier_than_the_set_and_that_than_1(model):
    questions = [question(name=str(place), text=f"Q: {word}\nA:") for place, word in enumerate("abcde")]
    table = closed_set(model, questions, ["", "It is", "It"], ends=True)
    assert (table.gold <= table.mass).all() and (table.mass <= 1).all() and (table.gold > 0).all()
    assert table.gold.shape == (3, 5)
    assert (table.entropy <= log(3) + 1e-9).all() and (table.entropy > 0).all()


def test_aliases_are_added(model):
    both = closed_set(model, [question(accepted=("cat", "dog"), rest=())], ["It"], ends=True).gold[0, 0]
    each = [closed_set(model, [question(accepted=(text,), rest=())], ["It"], ends=True).gold[0, 0]
            for text in ("cat", "dog")]  # fmt: skip
    assert both == pytest.approx(sum(each), abs=1e-6)


def test_one_place_of_the_table_by_hand():
    gold, correct, mass, share, entropy = cell_of([log(0.3), log(0.1), log(0.2)], accepted=2)
    assert (gold, correct, mass, share) == pytest.approx((0.4, 1.0, 0.6, 0.4 / 0.6))
    assert entropy == pytest.approx(-sum(p * log(p) for p in (3 / 6, 1 / 6, 2 / 6)))


def test_long_answers_that_no_number_can_hold_still_have_a_share():
    # e^-2000 is 0 to a computer; that the first is e times as likely as the second is not
    gold, correct, _, share, _ = cell_of([-2000.0, -2001.0], accepted=1)
    assert (gold, correct) == (0.0, 1.0) and share == pytest.approx(exp(1) / (exp(1) + 1))


class Deaf:
    """A model that hears no marker: it looks at the first four words of the prompt alone."""

    def logps(self, prompts, answers):
        return [(-len(str(p.content).split()[1]) - len(str(a.value).split()[-1]) / 10,) for p, a in
                zip(prompts, answers, strict=True)]  # fmt: skip

    def answer(self, prompts, *, n, decoding, seed):
        return [[Answer(value="The Cat."), Answer(value="cats")] for _ in prompts]


def test_a_model_that_ignores_markers_has_no_variance_over_them():
    table = closed_set(Deaf(), [question(), question(name="q")], ["", "It is", "It"], ends=True)
    assert np.ptp(table.gold, axis=0) == pytest.approx(0) and np.ptp(table.correct, axis=0) == pytest.approx(0)


def test_drawn_answers_are_counted_where_nothing_else_is_given():
    table = drawn(Deaf(), [question()], ["", "It"], samples=2, decoding=Decoding(), seed=0)
    assert table.gold.tolist() == [[0.5], [0.5]]  # "The Cat." holds the word, "cats" does not
    assert np.isnan(table.mass).all()
    with pytest.raises(NotApplicable, match="give prompts as text"):
        drawn(Deaf(), [Question(TALK, ("cat",), ())], ["It"], samples=2, decoding=Decoding(), seed=0)


def test_a_server_without_log_probabilities_says_so():
    class Mute(Deaf):
        def logps(self, prompts, answers):
            return None

    with pytest.raises(NotApplicable, match="draw answers instead"):
        closed_set(Mute(), [question()], [""], ends=True)


def test_whole_words_count():
    assert holds("It is a CAT, I think", ["cat"]) and holds('"New  York"!', ["new york"])
    assert not holds("concatenate", ["cat"])


# Questions


def test_questions_are_prompts_whose_answer_is_known():
    task = Forum(knobs=Knobs(pairs=12, valid_pairs=4, test_prompts=6, test_pairs=4))
    found = questions_of(task)
    assert {one.prompt.id for one in found} == {p.id for split in ("train", "valid") for p in task.prompts(split)}
    pair = task.pairs("train")[0]
    first = next(one for one in found if one.prompt.id == pair.prompt.id)
    assert first.accepted == (pair.chosen.value,) and pair.rejected.value in first.others


def test_what_a_set_is_closed_with():
    prompt = replace(asked("x"), columns={"task": "t", "choices": ("a", "b", "c")})
    assert others(prompt, ["b"], ["z"], {"t": {"q"}}) == ("a", "c")
    bare = replace(prompt, columns={"task": "t"})
    assert others(bare, ["b"], ["z", "b", "z"], {"t": {"q"}}) == ("z",)
    assert set(others(bare, ["b"], [], {"t": {"b", "q", "r"}})) == {"q", "r"}


def test_a_first_line_comes_before_a_text_and_is_the_systems_in_a_conversation():
    assert question(text="Q").behind("a forum").prompt.content == "a forum\nQ"
    assert question(text="Q").behind("").prompt.content == "Q"
    told = Question(TALK, ("cat",), ()).behind("a forum").prompt.content
    assert told == ({"role": "system", "content": "a forum"}, *TALK.content)


# Positions


def test_only_answers_of_one_token_that_are_no_numbers(model):
    assert one_token(model.tokenizer, question(accepted=("cat",)))
    assert not one_token(model.tokenizer, question(accepted=("e f",)))
    assert not one_token(model.tokenizer, question(accepted=("7",)))


def test_the_best_position_counts(model):
    questions, markers = [question(name="p"), question(name="q", text="Q: b\nA:")], ["", "It is"]
    table = in_positions(model, questions, markers, seed=0)
    assert isinstance(table, Table) and table.gold.shape == (2, 2)
    assert ((table.gold <= table.mass + 1e-9) & (table.mass <= 1)).all()
    # by hand for one cell: ten sampled tokens, and the probability of " cat" before each
    here = Prompt(id="p/0", content="Q: a\nA:")
    ((answer,),) = model.answer([here], n=1, decoding=Decoding(max_tokens=10), seed=0)
    chances = []
    for place in range(len(answer.tokens)):
        begun = answer.tokens[:place]
        cat = model.tokenizer(" cat", add_special_tokens=False)["input_ids"]
        (logps,) = model.logps([here], [Answer(value="", tokens=(*begun, *cat), finish="length")])
        chances.append(exp(logps[-1]))
    assert table.gold[0, 0] == pytest.approx(max(chances), abs=1e-5)
    with pytest.raises(NotApplicable, match="score=set"):
        in_positions(model, [Question(TALK, ("cat",), ())], ["It"], seed=0)


def test_the_tiny_model_is_read_in_the_same_way():
    prompts = tiny.graded().prompts("test")[:2]
    questions = [Question(one, ("good",), ("bad",)) for one in prompts]
    table = closed_set(tiny.base(), questions, [""], ends=False)
    logps = tiny.base().logps(prompts, [Answer(value=" good", finish="length")] * 2)
    assert table.gold[0] == pytest.approx([exp(sum(one)) for one in logps], abs=1e-6)
