"""Records made from records of another kind, worked by hand; and what is counted instead of guessed."""

import pytest

from operant.data import derive
from operant.data.chat import render, to_chat, to_text
from operant.data.records import Record
from operant.data.ways import NoWay, derive_all, find_way, reachable
from operant.errors import BadValue

USER = ({"role": "user", "content": "Which?"},)
THIS = ({"role": "assistant", "content": "this"},)
THAT = ({"role": "assistant", "content": "that"},)
TALK = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"})


def record(kind, **fields):
    return Record(kind=kind, line=7, **({"prompt": "Which?"} | fields))


def rated(*scores, texts="abcdef"):
    return record("ratings", completions=tuple(texts[: len(scores)]), scores=scores, split="test", columns={"x": 1})


def sides(derived):
    return [(one.chosen, one.rejected, one.margin) for one in derived.records]


def test_ratings_become_all_pairs_with_different_scores():
    # a 3, b 1, c 3: a over b by 2, c over b by 2, and a against c is a tie
    derived = derive.ratings_to_pairs(rated(3.0, 1.0, 3.0))
    assert sides(derived) == [("a", "b", 3.0 - 1.0), ("c", "b", 3.0 - 1.0)]
    assert derived.dropped == {"tie": 1}
    first = derived.records[0]
    assert (first.kind, first.ratings, first.prompt, first.split) == ("preference", (3.0, 1.0), "Which?", "test")
    assert (first.line, first.columns) == (7, {"x": 1})


def test_best_against_worst_takes_the_first_of_each():
    assert sides(derive.ratings_to_pairs(rated(2.0, 5.0, 5.0, 1.0, 1.0), pairs="best-worst")) == [("b", "d", 5.0 - 1.0)]


@pytest.mark.parametrize("pairs", derive.PAIRS)
@pytest.mark.parametrize(
    "ratings, why",
    [(rated(2.0), "one completion"), (rated(2.0, 2.0), "tie"), (rated(1.0, 2.0, texts="aa"), "identical pair")],
)
def test_ratings_that_compare_nothing(pairs, ratings, why):
    assert derive.ratings_to_pairs(ratings, pairs=pairs) == ((), {why: 1})


def test_the_number_of_pairs_is_the_number_of_unequal_twos():
    scores = (1.0, 2.0, 2.0, 3.0, 3.0, 3.0)
    derived = derive.ratings_to_pairs(rated(*scores))
    # 6 * 5 / 2 = 15 twos; 1 of them ties at 2.0 and 3 at 3.0
    assert (len(derived.records), derived.dropped) == (15 - 1 - 3, {"tie": 1 + 3})
    assert all(one.margin > 0 and one.margin == one.ratings[0] - one.ratings[1] for one in derived.records)


def test_another_choice_of_pairs_is_refused():
    with pytest.raises(BadValue, match="best-worst"):
        derive.ratings_to_pairs(rated(1.0, 2.0), pairs="some")


def test_a_pair_is_one_good_and_one_bad_answer():
    derived = derive.pair_to_unpaired(record("preference", chosen="this", rejected="that", margin=1.0))
    assert [(one.kind, one.completion, one.label, one.margin) for one in derived.records] == [
        ("unpaired", "this", True, None),
        ("unpaired", "that", False, None),
    ]


def test_only_good_answers_are_learnt_from():
    good, bad = (record("unpaired", completion="this", label=label) for label in (True, False))
    (made,) = derive.unpaired_to_completion(good).records
    assert (made.kind, made.completion, made.label) == ("prompt_completion", "this", None)
    assert derive.unpaired_to_completion(bad) == ((), {"labelled bad": 1})


@pytest.mark.parametrize("labels, good", [((True, True), True), ((True, False), False)])
def test_steps_are_one_answer_that_is_good_when_all_are(labels, good):
    steps = record("stepwise", steps=("one", "two"), step_labels=labels)
    (made,) = derive.stepwise_to_unpaired(steps).records
    assert (made.completion, made.label) == ("one\ntwo", good)


def test_messages_and_completion_are_each_others_inverse():
    talk = Record(kind="messages", line=7, text=USER + THIS)
    (made,) = derive.messages_to_completion(talk).records
    assert (made.prompt, made.completion, made.text) == (USER, THIS, None)
    assert derive.completion_to_messages(made).records == (talk,)
    assert derive.messages_to_completion(Record(kind="messages", line=7, text=USER)).dropped == {
        "no answer at the end": 1
    }


def test_targets_and_prompts():
    target = record("prompt_target", targets=("4", "four"))
    assert derive.target_to_completion(target).records[0].completion == "4"
    (made,) = derive.prompt_to_target(record("prompt_only", columns={"target": "4", "x": 1})).records
    assert (made.kind, made.targets, made.columns) == ("prompt_target", ("4",), {"x": 1})
    assert derive.prompt_to_target(record("prompt_only")).dropped == {"no target": 1}


def test_one_question_is_the_same_as_text_and_as_messages():
    chat = record("preference", prompt=USER, chosen=THIS, rejected=THAT, baseline=THAT)
    text = record("preference", chosen="this", rejected="that", baseline="that")
    assert to_text(chat).records == (text,) and to_chat(text).records == (chat,)
    assert to_text(text).records == (text,) and to_chat(chat).records == (chat,)


def test_a_longer_dialogue_becomes_text_by_roles_and_never_comes_back():
    (made,) = to_text(record("prompt_completion", prompt=TALK, completion=THIS)).records
    assert made.prompt == "System: Be brief.\n\nUser: Hi\n\nAssistant:"
    assert made.completion == " this"  # joined they read as one dialogue
    assert made.prompt + made.completion == render(TALK + THIS)
    assert to_chat(made) == ((), {"several turns in one text": 1})


def test_text_has_no_turns_but_turns_have_a_text():
    assert to_chat(Record(kind="text", line=7, text="a")) == ((), {"text without turns": 1})
    (made,) = to_text(Record(kind="messages", line=7, text=USER + THIS)).records
    assert (made.kind, made.text) == ("text", "User: Which?\n\nAssistant: this")


@pytest.mark.parametrize(
    "start, ends, through",
    [
        ("ratings", ("prompt_completion",), ["preference", "unpaired", "prompt_completion"]),
        ("stepwise", ("unpaired",), ["unpaired"]),
        ("preference", ("preference", "unpaired"), []),
        # as near: learning from good answers comes before prompts alone
        ("unpaired", ("prompt_only", "prompt_completion"), ["prompt_completion"]),
    ],
)
def test_the_shortest_way_is_taken(start, ends, through):
    assert [step.end for step in find_way(start, ends, what="it")] == through


def test_no_way_names_both_kinds_and_the_ways_there_are():
    with pytest.raises(NoWay, match="unpaired rows cannot become ratings rows, which ratings holds; they can become p"):
        find_way("unpaired", ("ratings",), what="ratings")
    with pytest.raises(NoWay, match="they can become nothing else"):
        find_way("text", ("messages",), what="messages")
    assert reachable("unpaired") == ["prompt_completion", "prompt_only", "messages", "prompt_target", "text"]


def test_what_is_lost_on_a_way_is_added_up():
    steps = [step.make for step in find_way("ratings", ("prompt_completion",), what="it")]
    derived = derive_all([rated(1.0, 2.0), rated(2.0, 2.0)], steps)
    # the first makes one pair, so one good and one bad answer; the second is a tie
    assert [one.completion for one in derived.records] == ["b"]
    assert derived.dropped == {"tie": 1, "labelled bad": 1}
