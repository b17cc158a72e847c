"""Every layout, told apart without help, and the record that its row becomes."""

import pytest

from operant.data.check import check
from operant.data.files import UnreadableData
from operant.data.layouts import LAYOUTS, parse_columns
from operant.data.load import load
from operant.errors import OperantError

from .conftest import pair

USER = {"role": "user", "content": "Which?"}
THIS = {"role": "assistant", "content": "this"}
THAT = {"role": "assistant", "content": "that"}
HUMAN = "\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Which?\n\nAssistant:"


def one(write, row, **settings):
    return load(write([row]), **settings).records[0]


def columns(text):
    return {"columns": parse_columns(text)}


@pytest.mark.parametrize(
    "row, prompt, chosen, rejected",
    [
        (pair(), "Which?", "this", "that"),
        ({"chosen": "The sky is blue.", "rejected": "The sky is green."}, "The sky is", " blue.", " green."),
        # TRL would cut inside the word and give "four" and "five" one shared "f"
        ({"chosen": "2 + 2 = four", "rejected": "2 + 2 = five"}, "2 + 2 =", " four", " five"),
        # one answer begins the other: the cut goes back a word, so that neither is empty
        ({"chosen": "Q: yes", "rejected": "Q: yes sir"}, "Q:", " yes", " yes sir"),
        ({"chosen": HUMAN + " this", "rejected": HUMAN + " the"}, HUMAN, " this", " the"),
        ({"prompt": [USER], "chosen": [THIS], "rejected": [THAT]}, (USER,), (THIS,), (THAT,)),
        ({"chosen": [USER, THIS], "rejected": [USER, THAT]}, (USER,), (THIS,), (THAT,)),
        ({"prompt": "Which?", "chosen": [USER, THIS], "rejected": [USER, THAT]}, (USER,), (THIS,), (THAT,)),
        ({"prompt": "Which?", "chosen": [THIS], "rejected": [THAT]}, (USER,), (THIS,), (THAT,)),
        ({"prompt": [USER], "chosen": "this", "rejected": "that"}, (USER,), (THIS,), (THAT,)),
    ],
)
def test_preference(write, row, prompt, chosen, rejected):
    record = one(write, row)
    assert (record.kind, record.prompt, record.chosen, record.rejected) == ("preference", prompt, chosen, rejected)
    assert record.chosen_was is None and record.verdict is None


def test_implicit_prompt_and_answers_join_to_what_the_row_held(write):
    row = {"chosen": "Say when.  Now", "rejected": "Say when.  Never"}
    record = one(write, row)
    assert (record.prompt + record.chosen, record.prompt + record.rejected) == (row["chosen"], row["rejected"])


def test_margin_baseline_split_and_other_columns(write):
    row = pair(
        margin="0.5", baseline="neither", split="validation", source="x", rank=3, told=["a", {"b": 1}], nested={"a": 1}
    )
    record = one(write, row)
    assert (record.margin, record.baseline, record.split) == (0.5, "neither", "valid")
    assert record.columns == {"source": "x", "rank": 3, "told": ["a", {"b": 1}]}  # no objects


@pytest.mark.parametrize(
    "verdict, winner",
    [(1, 1), (2, 2), (1.49, 1), (1.51, 2), (1.5, "tie"), (0, "tie"), (None, "no_verdict"), (3, "unknown_verdict")],
)
def test_alpaca_eval(write, verdict, winner):
    row = {"instruction": "Which?", "output_1": "this", "output_2": "that", "preference": verdict}
    path = write([row])
    report = check(path)
    if isinstance(winner, int):
        record = load(path).records[0]
        answers = {1: "this", 2: "that"}
        assert (record.chosen, record.rejected) == (answers[winner], answers[3 - winner])
        assert (record.chosen_was, record.verdict) == (winner, float(verdict))
    else:
        assert report.kept == 0
        assert report.dropped.get(winner, 0) + report.counts.get(winner, 0) == 1


@pytest.mark.parametrize(
    "verdict, winner",
    [("A>B", 1), ("b > a", 2), ("A", 1), ("model_b", 2), ("2", 2), ("1.2", 1), (1, 1), ("Tie", "tie"), ("A=B", "tie")]
    + [("", "no_verdict"), (0, "unknown_verdict"), (True, "unknown_verdict"), ("C", "unknown_verdict")]
    + [([1], "unknown_verdict"), ("nan", "no_verdict"), ("inf", "unknown_verdict")],
)
def test_verdicts_of_other_sets(write, verdict, winner):
    # 0 alone is refused: a tie in PandaLM, the first answer in Auto-J
    path = write([{"q": "Which?", "x": "this", "y": "that", "who": verdict}])
    given = columns("prompt=q,answer_1=x,answer_2=y,verdict=who")
    report = check(path, **given)
    if isinstance(winner, int):
        assert load(path, **given).records[0].chosen_was == winner
    else:
        assert report.dropped.get(winner, 0) + report.counts.get(winner, 0) == 1


def test_llmbar_by_its_label(write):
    row = {"input": "Which?", "output_1": "this", "output_2": "that", "label": 2}
    for said in ("verdict=label", "label=label"):
        record = one(write, row, **columns(f"prompt=input,answer_1=output_1,answer_2=output_2,{said}"))
        assert (record.chosen, record.chosen_was) == ("that", 2)


def test_the_other_kinds(write):
    record = one(write, {"prompt": "Which?", "completion": "this"})
    assert (record.kind, record.prompt, record.completion) == ("prompt_completion", "Which?", "this")
    record = one(write, {"prompt": "Which?", "completion": "this", "label": False})
    assert (record.kind, record.label) == ("unpaired", False)
    record = one(write, {"prompt": "Which?", "completion": "this", "label": "physics"})
    assert (record.kind, record.columns) == ("prompt_completion", {"label": "physics"})
    record = one(write, {"prompt": [USER]})
    assert (record.kind, record.prompt) == ("prompt_only", (USER,))
    record = one(write, {"prompt": "Which?", "completions": ["a", "b"], "labels": [True, False]})
    assert (record.kind, record.steps, record.step_labels) == ("stepwise", ("a", "b"), (True, False))
    record = one(write, {"text": "this"})
    assert (record.kind, record.text) == ("text", "this")
    record = one(write, {"messages": [USER, THIS]})
    assert (record.kind, record.text) == ("messages", (USER, THIS))


def test_unpaired_without_a_label_is_dropped_and_counted(write):
    rows = [{"prompt": "a", "completion": "b", "label": label} for label in (True, None, 0)]
    report = check(write(rows))
    assert (report.kept, report.dropped["no_verdict"]) == (2, 1)


@pytest.mark.parametrize(
    "row, code, column",
    [
        (pair(chosen=" \n"), "empty_answer", "chosen"),
        (pair(prompt=""), "empty_prompt", "prompt"),
        (pair(rejected="this"), "identical_pair", "chosen"),
        (pair(rejected=["a", "b", "c"]), "wrong_type", "rejected"),
        (pair(prompt=5), "wrong_type", "prompt"),
        (pair(margin="much"), "wrong_type", "margin"),
        ({"prompt": "a", "chosen": "b", "rejcted": "c"}, "missing_column", "rejected"),
        ({"prompt": "a", "completion": "b"}, "mixed_layout", None),
        ({"chosen": "b", "rejected": "c"}, "missing_column", "prompt"),
    ],
)
def test_rows_that_cannot_be_used(write, row, code, column):
    good = [pair(prompt=f"good {number}") for number in range(3)]
    report = check(write([*good, row]))
    assert [(problem.code, problem.line, problem.column) for problem in report.problems] == [(code, 4, column)]
    assert report.kept == 3


def test_a_missing_column_names_the_near_match(write):
    report = check(write([pair(), pair(), {"prompt": "a", "chosen": "b", "rejcted": "c"}]))
    assert "did you mean 'rejcted'?" in report.problems[-1].problem


@pytest.mark.parametrize(
    "row",
    [
        {"chosen": "yes", "rejected": "no"},
        {"chosen": HUMAN + " a\n\nHuman: b\n\nAssistant: c", "rejected": HUMAN + " d"},
        {"chosen": [USER, THIS], "rejected": [THAT]},
    ],
)
def test_no_common_prompt(write, row):
    assert check(write([row])).counts == {"no_common_prompt": 1}


def test_dotted_paths_reach_into_objects_and_lists_and_exact_names_win(write):
    row = {"q": {"text": "Which?"}, "a": [{"b": "this"}], "c.d": "that", "c": {"d": "wrong"}}
    record = one(write, row, **columns("prompt=q.text,chosen=a.0.b,rejected=c.d"))
    assert (record.prompt, record.chosen, record.rejected) == ("Which?", "this", "that")


def test_the_first_usable_rows_vote_so_one_broken_row_decides_nothing(write):
    assert check(write([{"text": "odd"}, pair(), pair(prompt="b")])).kind == "preference"


@pytest.mark.parametrize(
    "text, said",
    [
        ("promt=q", "did you mean 'prompt'"),
        ("prompt", "ours=theirs"),
        ("", "ours=theirs"),
        ("prompt=a,prompt=b", "each name once"),
        ("chosen=a,completion=b", "no one layout"),
    ],
)
def test_columns_that_mean_nothing_are_refused(text, said):
    with pytest.raises(OperantError, match=said):
        parse_columns(text)


def test_a_target_may_be_named_beside_any_layout(write):
    row = {"q": "2+2?", "m": {"text": "5", "right": False}, "truth": "4", "grade": 1}
    record = one(write, row, **columns("prompt=q,completion=m.text,label=m.right,target=truth"))
    assert (record.kind, record.completion, record.label) == ("unpaired", "5", False)
    assert record.columns == {"target": "4", "grade": 1}


def test_a_target_of_its_own_layout_stays_one(write):
    # A completion stands beside it, and is another column: prompt and target are named, and make a layout.
    record = one(write, {"q": "2+2?", "completion": "5", "truth": "4"}, **columns("prompt=q,target=truth"))
    assert (record.kind, record.targets) == ("prompt_target", ("4",))


def test_a_row_without_the_named_target_is_named(write):
    rows = [{"prompt": "a", "completion": "b", "truth": "1"}] * 3 + [{"prompt": "c", "completion": "d"}]
    report = check(write(rows), **columns("prompt=prompt,completion=completion,target=truth"))
    (problem,) = [one for one in report.problems if one.severity == "row"]
    assert (problem.code, problem.line, problem.column) == ("missing_column", 4, "target")


def test_columns_that_the_file_lacks_name_the_near_one(write):
    with pytest.raises(UnreadableData, match="'answr', which is in none of the first rows; did you mean 'answer'"):
        check(write([{"question": "a", "answer": "b"}]), **columns("prompt=question,completion=answr"))


def test_layouts_have_names_of_their_own():
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)
