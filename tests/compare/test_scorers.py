"""What somebody writes after --scorer becomes that scorer, and a file is scored with it."""

from __future__ import annotations

import json
import math
import sys

import pytest
import torch
from typer.testing import CliRunner

import tiny
from models.stub_server import Reply, chat, stub
from operant.cli.app import app
from operant.compare.scorers import FORMS, score_records, scorer_from
from operant.data.records import Record
from operant.errors import OperantError
from operant.models.heads import new_reward_head
from operant.rewards.endpoint_judge import EndpointJudge
from operant.rewards.ensemble import Ensemble, Level
from operant.rewards.model import RewardModel
from operant.rewards.python import FunctionScorer
from operant.rewards.remote import RemoteReward
from operant.schema import Score

PAIRS = [("q", "long one", "x"), ("q", "y", "a long one"), ("q", "zz", "no"), ("q", "unknown", "w")]


@pytest.fixture(scope="module")
def reward(tmp_path_factory):
    base = tiny.base()
    head = new_reward_head(base.module, base.tokenizer, rng=torch.Generator().manual_seed(0))
    path = tmp_path_factory.mktemp("trained")
    RewardModel(head, base.tokenizer, max_length=96).save(path / "scorer")
    return path


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Prefers the longer answer; does not know what `unknown` is worth."""
    name = f"scorers_{tmp_path.name}"
    source = "def longer(prompts, completions, **rest):\n"
    source += "    return [None if text == 'unknown' else len(text) for text in completions]\n"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    yield name
    sys.modules.pop(name, None)


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [{"prompt": q, "chosen": one, "rejected": two} for q, one, two in PAIRS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(*args):
    return CliRunner().invoke(app, ["score", *map(str, args)])


def rows(result):
    assert result.exit_code == 0, result.exception
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("inside", ["", "scorer"])
def test_a_directory_is_a_reward_model(inside, reward):
    scorer = scorer_from(str(reward / inside), max_length=7)
    assert isinstance(scorer, RewardModel) and scorer.max_length == 96  # what was saved is stronger


def test_a_name_with_a_colon_is_a_function(module):
    assert isinstance(scorer_from(f"{module}:longer", max_length=8), FunctionScorer)


def test_an_address_is_a_remote_reward():
    scorer = scorer_from("http://localhost:5000/get_reward", max_length=8)
    assert isinstance(scorer, RemoteReward) and scorer.url == "http://localhost:5000/get_reward"


def test_judge_names_model_and_server():
    with stub(lambda number, body: chat(f"{body['model']}\nRating: 3")) as server:
        scorer = scorer_from(f"judge:org/some@model@{server.url}", max_length=8)
        assert isinstance(scorer, EndpointJudge)
        assert scorer.score([tiny.Prompt(id="1", content="q")], [tiny.Answer(value="b")])[0].value == 3.0
        assert server.seen[0]["body"]["model"] == "org/some@model"


def test_verifier_is_the_answer_verifier():
    verifier = pytest.importorskip("operant.domains.text.maths.verifier")
    assert isinstance(scorer_from("verifier", max_length=8), verifier.AnswerVerifier)


@pytest.mark.parametrize("spec", ["verifer", "no/such/directory", "judge:model", "judge:@http://x", "a:b:c", ""])
def test_anything_else_lists_the_forms(spec):
    with pytest.raises(OperantError) as caught:
        scorer_from(spec, max_length=8)
    assert all(form in str(caught.value) for form in FORMS)


# A file


def record(chosen, rejected=None, **fields):
    sides = {"completion": chosen} if rejected is None else {"chosen": chosen, "rejected": rejected}
    kind = "prompt_completion" if rejected is None else "preference"
    return Record(kind=kind, line=1, prompt="q", **sides, **fields)


def test_a_function_scores_pairs_and_the_unknown_is_counted(pairs, module):
    # Lengths 8 > 1, 1 < 10, 2 = 2, unknown: right, wrong, a tie of one half -> 1.5 of 3.
    result = run(pairs, "--scorer", f"{module}:longer")
    first, _, tie, unknown = rows(result)
    assert first == {"line": 1, "chosen": 8.0, "rejected": 1.0} and tie["chosen"] == tie["rejected"]
    assert unknown["chosen"] is None and "returned None" in unknown["chosen_why"]
    # Longer wins: right, wrong, a tie, right: 2.5 of 4.
    assert "accuracy 0.500 of 3 pairs, unknown 1, longer wins 0.625" in result.stderr


def test_a_tiny_difference_still_decides():
    class Close:
        scale = "raw"

        def score(self, prompts, answers):
            return [Score(value=1e-20 if answer.value == "up" else 0.0) for answer in answers]

    assert "accuracy 1.000" in score_records(Close(), [record("up", "down")], source="f").summary


def test_single_answers_have_a_mean(tmp_path, module):
    path = tmp_path / "answers.jsonl"
    answers = ("four", "unknown", "to")
    path.write_text("".join(json.dumps({"prompt": "q", "completion": one}) + "\n" for one in answers))
    result = run(path, "--scorer", f"{module}:longer")
    assert [row["completion"] for row in rows(result)] == [4.0, None, 2.0]
    assert "mean 3.000 of 2, unknown 1" in result.stderr


def test_a_judge_compares_and_reports_on_itself(pairs, tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with stub(lambda number, body: chat("Verdict: A")) as server:
        spec = ("--scorer", f"judge:m@{server.url}", "--cache", tmp_path / "cache")
        result = run(pairs, *spec)
        assert [row["chosen_wins"] for row in rows(result)] == [0.5] * 4
        assert "judge: consistent 0.000, first position 1.000, unparsable 0.000" in result.stderr
        assert rows(run(pairs, *spec)) == rows(result) and len(server.seen) == 8  # the second run asks nothing


def test_a_remote_reward_scores_a_file(pairs):
    with stub(lambda number, body: Reply({"rewards": [len(text) for text in body["query"]]})) as server:
        result = run(pairs, "--scorer", server.url)
    assert rows(result)[0] == {"line": 1, "chosen": 9.0, "rejected": 2.0}


def test_model_and_scorer_of_a_directory_say_the_same(pairs, reward, tmp_path):
    assert rows(run(pairs, "--model", reward)) == rows(run(pairs, "--scorer", reward))
    assert run(pairs, "--model", reward, "--out", tmp_path / "out.jsonl").stdout == ""
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 4


def test_exactly_one_scorer_is_named(pairs, reward):
    for args in ((pairs,), (pairs, "--model", reward, "--scorer", "verifier"), (pairs, "--model", "no/such/place")):
        assert isinstance(run(*args).exception, OperantError)


@pytest.mark.parametrize("column", ["target", "answer"])
def test_the_verifier_marks_a_file_by_its_column(column, tmp_path):
    pytest.importorskip("operant.domains.text.maths.verifier")
    path = tmp_path / "answers.jsonl"
    given = (("1 + 1", "It is \\boxed{2}", "2"), ("2 + 2", "It is \\boxed{5}", "4"))
    path.write_text("".join(json.dumps({"prompt": q, "completion": a, column: t}) + "\n" for q, a, t in given))
    result = run(path, "--scorer", "verifier")
    assert [row["completion"] for row in rows(result)] == [1.0, 0.0]
    assert "mean 0.500 of 2, unknown 0" in result.stderr


def test_a_file_without_answers_is_refused(module):
    empty = Record(kind="prompt_only", line=1, prompt="q")
    with pytest.raises(OperantError, match="f.jsonl holds no answers"):
        score_records(FunctionScorer(f"{module}:longer"), [empty], source="f.jsonl")


# By a column, and calibration


class Given:
    """Rewards as the answer says them."""

    def __init__(self, scale):
        self.scale = scale

    def score(self, prompts, answers):
        return [Score(value=float(answer.value)) for answer in answers]


def summary_of(scale, sides, by=None, **fields):
    records = [record(*map(str, two), columns={"topic": topic}, **fields) for *two, topic in sides]
    return score_records(Given(scale), records, source="f", by=by).summary.split("\n")


def test_by_a_column_repeats_the_figures_for_each_value():
    # b: right (and longer). a: one wrong (and longer), one right (and shorter) -> one half, and longer wins one half.
    lines = summary_of("raw", [(10, 9, "b"), (10, 20.5, "a"), (3, -1.5, "a")], by="topic")
    assert lines[0].startswith("accuracy 0.667 of 3 pairs")
    assert lines[1:] == [
        "topic a: accuracy 0.500 of 2 pairs, unknown 0, longer wins 0.000",
        "topic b: accuracy 1.000 of 1 pairs, unknown 0, longer wins 1.000",
    ]


def test_rows_without_the_column_are_a_group_of_their_own():
    lines = summary_of("raw", [(1, 0, "a"), (1, 0, None)], by="topic")
    assert [line.split(":")[0] for line in lines[1:]] == ["topic a", "topic (none)"]


def test_an_unknown_column_is_refused_before_anything_is_scored():
    class Never:
        scale = "raw"

    with pytest.raises(OperantError, match="no column named 'topics'; did you mean 'topic'"):
        score_records(Never(), [record("a", "b", columns={"topic": "x"})], source="f", by="topics")


def test_logits_are_held_to_their_probabilities():
    # sigmoid(ln 3) = 0.75 sure, right once and wrong once: |0.75 - 0.5|.
    lines = summary_of("logit", [(math.log(3), 0, "a"), (0, math.log(3), "a")])
    assert lines[1] == "calibration error 0.250: 0.75 sure, 0.50 right of 2"


def test_raw_scores_have_no_calibration():
    assert len(summary_of("raw", [(1, 0, "a"), (0, 1, "a")])) == 1


def test_single_answers_are_held_to_their_labels():
    # Scores 1, 1, 0 with labels good, bad, bad: two agree; of 1 x 2 pairs one is right and one tied -> 1.5 of 2.
    rows = [record(text, label=label, columns={}) for text, label in (("1", True), ("1", False), ("0", False))]
    summary = score_records(Given("probability"), rows, source="f").summary
    assert summary == "mean 0.667 of 3, unknown 0, labelled good 0.333, agrees with the label 0.667, AUROC 0.750"


def test_the_command_takes_by_and_keeps_a_value_on_its_line(tmp_path, module):
    path = tmp_path / "topics.jsonl"
    path.write_text(json.dumps({"prompt": "q", "chosen": "longer", "rejected": "x", "topic": "t\n2"}) + "\n")
    result = run(path, "--scorer", f"{module}:longer", "--by", "topic")
    assert result.stderr.split("\n")[1].startswith("topic t 2: accuracy 1.000 of 1 pairs")


def test_an_ensemble_directory_scores_with_its_members_spread(pairs, reward, tmp_path):
    member = RewardModel.load(reward / "scorer")
    Ensemble([member, member], levels=[Level(0.0, 1.0), Level(1.0, 1.0)]).save(tmp_path / "trained" / "scorer")
    first = rows(run(pairs, "--scorer", tmp_path / "trained"))[0]
    alone = rows(run(pairs, "--model", reward))[0]
    # Members r and r - 1: their mean is r - 1/2, their population standard deviation 1/2.
    assert first["chosen"] == pytest.approx(alone["chosen"] - 0.5, abs=1e-6)
    assert first["chosen_uncertainty"] == pytest.approx(0.5, abs=1e-6)
