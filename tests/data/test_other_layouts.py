"""Layouts of other tools, and the kinds whose columns are lists: the record that a row becomes, or its problem."""

import json

import pytest

from operant.data.check import check
from operant.data.layouts import parse_columns
from operant.data.load import load
from operant.errors import BadValue

USER = {"role": "user", "content": "Which?"}
THIS = {"role": "assistant", "content": "this"}
THAT = {"role": "assistant", "content": "that"}
BRIEF = {"role": "system", "content": "Be brief."}
HI = {"role": "user", "content": "Hi"}
HELLO = {"role": "assistant", "content": "Hello"}
TALK = [{"from": "human", "value": "Which?"}]
SAID = {"from": "gpt", "value": "this"}
ODD = {"from": "gpt", "value": "that"}


def one(write, row, text=None):
    return load(write([row]), columns=text and parse_columns(text)).records[0]


def problem(write, row):
    (found,) = check(write([row])).problems
    return found.code, found.column


# LLaMA-Factory


@pytest.mark.parametrize(
    "row, prompt, completion",
    [
        ({"instruction": "Which?", "output": "this"}, "Which?", "this"),
        ({"instruction": "Add", "input": "1 2", "output": "3"}, "Add\n1 2", "3"),
        ({"instruction": "Which?", "input": "", "output": "this", "system": "", "history": []}, "Which?", "this"),
        ({"instruction": "Which?", "output": "this", "system": "Be brief."}, (BRIEF, USER), (THIS,)),
        ({"instruction": "Which?", "output": "this", "history": [["Hi", "Hello"]]}, (HI, HELLO, USER), (THIS,)),
        ({"instruction": "Sum up", "context": "A text", "response": "Text"}, "Sum up\nA text", "Text"),
        # the Stanford file holds the whole template as text, too
        ({"instruction": "Which?", "output": "this", "text": "Below is ... this"}, "Which?", "this"),
        ({"system_prompt": "Be brief.", "question": "Which?", "response": "this"}, (BRIEF, USER), (THIS,)),
        ({"input": "Which?", "output": "this"}, "Which?", "this"),
        ({"input": [USER], "output": [THIS]}, (USER,), (THIS,)),
    ],
)
def test_instructions_with_an_answer(write, row, prompt, completion):
    record = one(write, row)
    assert (record.kind, record.prompt, record.completion) == ("prompt_completion", prompt, completion)


def test_alpaca_preference_and_kto(write):
    record = one(write, {"instruction": "Add", "input": "1 2", "chosen": "3", "rejected": "4"})
    assert (record.kind, record.prompt, record.chosen, record.rejected) == ("preference", "Add\n1 2", "3", "4")
    record = one(write, {"instruction": "Add", "input": "1 2", "output": "4", "kto_tag": False})
    assert (record.kind, record.prompt, record.completion, record.label) == ("unpaired", "Add\n1 2", "4", False)


def test_sharegpt_dialogue_keeps_every_role(write):
    roles = {"human": "user", "gpt": "assistant", "function_call": "function_call", "observation": "tool"}
    row = {"conversations": [{"from": name, "value": name} for name in roles], "system": "Be brief.", "tools": "[]"}
    record = one(write, row)
    assert record.kind == "messages" and record.columns == {"tools": "[]"}
    assert record.text == (BRIEF, *({"role": role, "content": name} for name, role in roles.items()))


def test_sharegpt_preference_and_kto(write):
    record = one(write, {"conversations": TALK, "chosen": SAID, "rejected": ODD})
    assert (record.kind, record.prompt, record.chosen, record.rejected) == ("preference", (USER,), (THIS,), (THAT,))
    record = one(write, {"conversations": [*TALK, SAID], "kto_tag": True})
    assert (record.kind, record.prompt, record.completion, record.label) == ("unpaired", (USER,), (THIS,), True)


@pytest.mark.parametrize(
    "row, code, column",
    [
        ({"instruction": 5, "output": "this"}, "wrong_type", "prompt"),
        ({"instruction": "", "input": " ", "output": "this"}, "empty_prompt", "prompt"),
        ({"instruction": "", "output": "this", "system": "Be brief."}, "empty_prompt", "prompt"),
        ({"instruction": "Which?", "output": "this", "history": [["Hi"]]}, "wrong_type", "history"),
        ({"instruction": "Which?", "output": "this", "system": ["a"]}, "wrong_type", "system"),
        ({"instruction": [USER], "output": "this", "system": "Be brief."}, "wrong_type", "prompt"),
        ({"instruction": "Which?", "output": "this", "kto_tag": "good"}, "wrong_type", "label"),
        ({"conversations": "Which?"}, "wrong_type", "conversations"),
        ({"conversations": [{"from": "human"}]}, "wrong_type", "conversations"),
        ({"conversations": [{"from": "oracle", "value": "a"}]}, "wrong_type", "conversations"),
        ({"conversations": [SAID, *TALK], "kto_tag": True}, "wrong_type", "conversations"),
        ({"conversations": [], "chosen": SAID, "rejected": ODD}, "empty_prompt", "prompt"),
        ({"conversations": TALK, "chosen": SAID, "rejected": {"from": "gpt"}}, "wrong_type", "rejected"),
    ],
)
def test_rows_of_other_tools_that_cannot_be_used(write, row, code, column):
    assert problem(write, row) == (code, column)


# verl and OpenRLHF


def verl(**changes):
    row = {
        "data_source": "gsm8k",
        "prompt": [USER],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": "42"},
        "extra_info": {"split": "test", "index": 3},
    }
    return row | changes


def test_verl_is_a_prompt_with_its_ground_truth_as_a_column(write):
    record = one(write, verl())
    assert (record.kind, record.prompt, record.source, record.split) == ("prompt_only", (USER,), "gsm8k", "test")
    assert record.targets == ("42",) and record.columns == {"target": "42", "ability": "math"}


def test_verl_without_ground_truth_and_with_a_number(write):
    assert one(write, verl(reward_model={"ground_truth": ""})).columns == {"ability": "math"}
    assert one(write, verl(reward_model={"ground_truth": 42})).columns["target"] == "42"
    assert problem(write, verl(reward_model={"ground_truth": ["1", "2"]})) == ("wrong_type", "target")


def test_context_messages(write):
    record = one(write, {"context_messages": [BRIEF, USER]})
    assert (record.kind, record.prompt) == ("prompt_only", (BRIEF, USER))


# Ratings, targets, scored texts


def ratings(**changes):
    return {"prompt": "Which?", "completions": ["this", "that", "none"], "scores": [3, 1.5, 2]} | changes


def test_ratings(write):
    record = one(write, ratings(rater_id=7))
    assert (record.kind, record.prompt, record.rater) == ("ratings", "Which?", "7")
    assert (record.completions, record.scores) == (("this", "that", "none"), (3.0, 1.5, 2.0))
    record = one(write, {"prompt": [USER], "completions": [[THIS], "that"], "scores": [1, 0]})
    assert record.completions == ((THIS,), (THAT,))


def test_a_completion_without_a_score_is_left_out_and_counted(write):
    rows = [ratings(scores=[None, 1, None]), ratings(scores=[None] * 3), ratings()]
    path = write(rows)
    report = check(path)
    assert (report.kept, report.dropped, report.counts) == (2, {"tie": 0, "no_verdict": 1}, {"null_score": 2})
    assert [found.line for found in report.problems] == [1, 1]
    assert load(path).records[0].completions == ("that",)


def test_two_raters_of_one_answer_set_neither_repeat_nor_contradict_each_other(write):
    report = check(write([ratings(rater="a"), ratings(rater="b"), ratings(rater="b")]))
    assert [(found.code, found.line) for found in report.problems] == [("duplicate", 3)]


@pytest.mark.parametrize(
    "row, target, choices",
    [
        ({"prompt": "2+2?", "target": "4"}, ("4",), None),
        ({"prompt": "2+2?", "target": 4}, ("4",), None),
        ({"question": "2+2?", "answer": "4"}, ("4",), None),
        ({"input": "2+2?", "targets": ["4", "four"]}, ("4", "four"), None),
        ({"inputs": "2+2?", "targets": "4"}, ("4",), None),
        # a whole number beside choices is an index from 0
        ({"question": "2+2?", "choices": ["3", "4"], "answer": 1}, ("4",), ("3", "4")),
        ({"question": "2+2?", "choices": {"text": ["3", "4"], "label": ["A", "B"]}, "answer": "4"}, ("4",), ("3", "4")),
    ],
)
def test_targets(write, row, target, choices):
    record = one(write, row)
    assert (record.kind, record.prompt) == ("prompt_target", "2+2?")
    assert (record.targets, record.choices) == (target, choices)


def test_scored_text_joins_to_its_text(write):
    record = one(write, {"texts": ["A ", "bad", " word"], "scores": [0, 0.9, 0], "source": "web"})
    assert (record.kind, record.text, record.source) == ("scored_text", "A bad word", "web")
    assert (record.texts, record.scores) == (("A ", "bad", " word"), (0.0, 0.9, 0.0))


def test_text_keeps_its_source(write):
    record = one(write, {"text": "this", "source": "en.wikipedia.org", "year": 2001})
    assert (record.kind, record.source, record.columns) == ("text", "en.wikipedia.org", {"year": 2001})


@pytest.mark.parametrize("names", ["score_chosen score_rejected", "chosen_score rejected_score",
                                   "chosen_rating rejected_rating"])  # fmt: skip
def test_scores_of_both_sides(write, names):
    won, lost = names.split()
    record = one(write, {"prompt": "a", "chosen": "b", "rejected": "c", won: 8.5, lost: "3"})
    assert (record.ratings, record.margin, record.columns) == ((8.5, 3.0), None, {})


def test_one_score_alone_rates_no_pair(write):
    row = {"prompt": "a", "chosen": "b", "rejected": "c", "score_chosen": 8, "score_rejected": None}
    assert one(write, row).ratings is None


@pytest.mark.parametrize(
    "row, code, column",
    [
        (ratings(scores=[1, 2]), "unequal_lengths", "scores"),
        (ratings(scores=[1, 2, "high"]), "wrong_type", "scores"),
        (ratings(scores=3), "wrong_type", "scores"),
        (ratings(completions=["a", 5, "b"]), "wrong_type", "completions"),
        (ratings(completions=["a", " ", "b"]), "empty_answer", "completions"),
        (ratings(completions=["a", [THIS], "b"]), "wrong_type", "completions"),
        (ratings(completions=[], scores=[]), "wrong_type", "completions"),
        (ratings(prompt=""), "empty_prompt", "prompt"),
        (ratings(rater=["a"]), "wrong_type", "rater"),
        ({"prompt": "a", "target": None}, "wrong_type", "target"),
        ({"prompt": "a", "target": True}, "wrong_type", "target"),
        ({"prompt": "a", "target": " "}, "empty_answer", "target"),
        ({"prompt": "a", "targets": []}, "wrong_type", "target"),
        ({"question": "a", "choices": ["b"], "answer": 1}, "wrong_type", "target"),
        ({"question": " ", "answer": "b"}, "empty_prompt", "prompt"),
        ({"texts": ["a", "b"], "scores": [1]}, "unequal_lengths", "scores"),
        ({"texts": ["a", "b"], "scores": [1, None]}, "wrong_type", "scores"),
        ({"texts": ["a", 5], "scores": [1, 1]}, "wrong_type", "texts"),
        ({"texts": [" ", "\n"], "scores": [1, 1]}, "empty_answer", "texts"),
        ({"texts": "a", "scores": [1]}, "wrong_type", "texts"),
        ({"text": "a", "source": ["b"]}, "wrong_type", "source"),
        ({"prompt": "a", "chosen": "b", "rejected": "c", "score_chosen": "high"}, "wrong_type", "score_chosen"),
    ],
)
def test_rows_of_the_new_kinds_that_cannot_be_used(write, row, code, column):
    assert problem(write, row) == (code, column)


def test_a_score_that_is_not_a_number_is_a_problem_of_its_row(write):
    good = {"texts": ["a"], "scores": [0.5]}
    path = write(b'{"texts": ["a"], "scores": [NaN]}\n' + json.dumps(good).encode())
    assert [(found.code, found.line) for found in check(path).problems] == [("non_finite", 1)]


@pytest.mark.parametrize(
    "row, text, field, value",
    [
        ({"q": "a", "gold": "b"}, "prompt=q,target=gold", "targets", ("b",)),
        ({"q": "a", "gold": ["b", "c"]}, "prompt=q,targets=gold", "targets", ("b", "c")),
        ({"q": "a", "o": ["b"], "mark": [1], "who": "x"}, "prompt=q,completions=o,scores=mark,rater=who", "rater", "x"),
        ({"body": "a", "site": "b"}, "text=body,source=site", "source", "b"),
        ({"prompt": "a", "chosen": "b", "rejected": "c", "w": 2, "l": 1}, "score_chosen=w,score_rejected=l", "ratings",
         (2.0, 1.0)),
        ({"parts": ["a"], "toxic": [0.5]}, "texts=parts,scores=toxic", "scores", (0.5,)),
    ],
)  # fmt: skip
def test_columns_name_the_new_ones(write, row, text, field, value):
    assert getattr(one(write, row, text), field) == value


def test_target_and_targets_are_one_name():
    with pytest.raises(BadValue, match="one of the two"):
        parse_columns("target=a,targets=b")


@pytest.mark.parametrize(
    "row, side, length",
    [
        (ratings(), "longest completion", 4),
        ({"input": "a", "targets": ["b", "four"]}, "longest target", 4),
        ({"texts": ["ab", "cd"], "scores": [0, 1]}, "text", 4),
    ],
)
def test_lengths_of_the_new_kinds(write, row, side, length):
    assert check(write([row])).lengths[side]["max"] == length
