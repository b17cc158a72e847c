"""A file of any kind as a task: what methods may read of it, what grades, what is refused."""

import json

import pytest

import tiny
from operant.compare.bench import View
from operant.compare.feedback import ceiling_of, has_weights, label_ceiling
from operant.compare.options import Options
from operant.compare.scorers import scorer_from
from operant.compare.tasks import embedded, task_names
from operant.data.records import Record
from operant.domains.text.records import prompt_of
from operant.domains.text.tasks.from_file import FromFile, Named
from operant.errors import NotApplicable, OperantError, UnknownName, offered
from operant.meter import metered
from operant.models.endpoint import Endpoint
from operant.models.loading import Loading
from operant.schema import Answer

COUNT = 80


@pytest.fixture
def made(tmp_path):
    """made(rows, scorer): the task of a file with these rows."""
    tiny.base().save(tmp_path / "model")

    def make(rows, scorer=None, model=None):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        named = None if scorer is None else Named(scorer, scorer_from(scorer, max_length=96))
        return FromFile(
            model=model or str(tmp_path / "model"), data=str(path), columns={}, limit=None, on_bad_row="stop",
            test_prompts=None, named=named,
        )  # fmt: skip

    return make


def sums():
    return [{"prompt": f"{n} + 1 =", "target": str(n + 1)} for n in range(COUNT)]


def test_targets_and_the_verifier_are_a_whole_task(made):
    task = made(sums(), "verifier")
    assert task.metrics[0].name == "accuracy" and not task.needs_judge
    prompts = task.prompts("test")
    right = [Answer(value=f"so it is {prompt.columns['targets'][0]}") for prompt in prompts]
    wrong = [Answer(value="so it is 1000") for _ in prompts]
    assert [one.value for one in task.gold(prompts, right)["accuracy"]] == [1.0] * len(prompts)
    assert [one.value for one in task.gold(prompts, wrong)["accuracy"]] == [0.0] * len(prompts)
    with pytest.raises(NotApplicable, match="prompt_target rows, and no preference pairs"):
        task.pairs("train")


def test_methods_verify_training_prompts_and_no_others(made):
    task = made(sums(), "verifier")
    view = View(task)
    prompts = view.prompts("train")
    with metered() as cost:
        scores = view.verify(prompts, [Answer(value="0")] * len(prompts))
    assert len(scores) == len(prompts) == cost.verifier_calls
    with pytest.raises(OperantError, match="is no training or validation prompt"):
        view.verify(task.prompts("test")[:1], [Answer(value="0")])
    with pytest.raises(NotApplicable, match="only --scorer verifier or match"):
        made([{"prompt": f"p {n}", "chosen": "a", "rejected": "b"} for n in range(COUNT)]).verify([], [])


def test_splits_share_no_prompt_and_leave_no_judge_where_a_scorer_is_named(made):
    task = made(sums(), "verifier")
    ids = [{prompt.id for prompt in task.prompts(split)} for split in ("train", "valid", "test")]
    assert sum(map(len, ids)) == COUNT == len(set.union(*ids))
    assert set(task.shares) == {"train", "valid", "test"}


def test_rated_answers_become_pairs(made):
    rows = [{"prompt": f"p {n}", "completions": ["a", "b", "c"], "scores": [1, 3, 3]} for n in range(COUNT)]
    task = made(rows)
    pairs = task.pairs("train")
    # of each prompt two pairs: b over a, c over a; b and c tie
    assert len(pairs) == 2 * len(task.prompts("train"))
    assert {(pair.chosen.value, pair.rejected.value, pair.ratings) for pair in pairs} == {
        ("b", "a", (3.0, 1.0)), ("c", "a", (3.0, 1.0)),
    }  # fmt: skip
    assert {(one.answer.value, one.rating) for one in task.judged("train")} == {("a", 1.0), ("b", 3.0), ("c", 3.0)}


def test_single_answers_are_demonstrations_labels_or_steps(made):
    plain = made([{"prompt": f"p {n}", "completion": "yes"} for n in range(COUNT)], "verifier").judged("train")[0]
    assert (plain.answer.value, plain.label, plain.steps) == ("yes", None, None)
    labelled = made([{"prompt": f"p {n}", "completion": "yes", "label": False} for n in range(COUNT)], "verifier")
    assert {one.label for one in labelled.judged("train")} == {False}
    steps = [{"prompt": f"p {n}", "completions": ["one", "two"], "labels": [True, False]} for n in range(COUNT)]
    stepwise = made(steps, "verifier").judged("train")[0]
    assert (stepwise.answer.value, stepwise.steps) == ("one\ntwo", (True, False))


def test_texts_are_documents_with_and_without_their_scores(made):
    rows = [{"texts": [f"good {n} .", " bad ."], "scores": [0.0, 0.7], "source": "web"} for n in range(COUNT)]
    task = made(rows, "verifier")
    with metered() as cost:
        plain = View(task).documents("train")
    assert plain[0].segments[1] == " bad ." and plain[0].scores is None and plain[0].source == "web"
    assert cost.labels == 0
    with metered() as cost:
        scored = View(task).documents("train", scored=True)
    assert scored[0].scores == (0.0, 0.7)
    assert cost.labels == 2 * len(scored)  # one judgement a segment
    unscored = made([{"text": f"text {n}"} for n in range(COUNT)], "verifier")
    with pytest.raises(NotApplicable, match="no texts with scores"):
        unscored.documents("train", scored=True)


def test_the_ceiling_is_that_of_the_richest_feedback(made):
    options = Options(methods=("base",), task="reviews", max_length=96)
    base = tiny.base()
    pairs = made([{"prompt": f"the {n}", "chosen": "good", "rejected": "bad news"} for n in range(COUNT)])
    single = made([{"prompt": f"the {n}", "completion": "good"} for n in range(COUNT)], "verifier")
    texts = made([{"text": f"the build is good {n}"} for n in range(COUNT)], "verifier")
    ceilings = [ceiling_of(task, base, options).flops for task in (pairs, single, texts)]
    assert min(ceilings) > 0 and ceilings[0] > ceilings[1]  # both sides and a reference against one side
    assert label_ceiling(pairs) == len(pairs.pairs("train"))


def test_without_pairs_and_scorer_nothing_can_be_graded(made):
    task = made([{"prompt": f"p {n}", "completion": "yes"} for n in range(COUNT)])
    with pytest.raises(OperantError, match="name what grades answers with --scorer"):
        task.gold(task.prompts("test"), [Answer(value="x")] * len(task.prompts("test")))


def test_an_endpoint_has_no_weights(made):
    task = made(sums(), "verifier", model="endpoint:tiny@http://127.0.0.1:9/v1")
    base = task.base(Loading())
    assert isinstance(base, Endpoint) and not has_weights(base) and has_weights(tiny.base())
    assert ceiling_of(task, base, Options(methods=("base",), task="reviews")).flops == 0


def test_tasks_are_found_by_their_folders():
    assert "reviews" in task_names()
    for name in task_names():
        assert embedded(name, seed=0, pairs=24, test_prompts=4).name == name
    with pytest.raises(UnknownName, match="no task named 'review'; did you mean 'reviews'"):
        embedded("review", seed=0)


def test_what_a_task_does_not_offer_is_nothing():
    def refuse():
        raise NotApplicable("none")

    assert offered(refuse) == [] and offered(lambda: [1]) == [1]


@pytest.mark.parametrize("targets, single", [(("2", "two"), {}), (("2",), {"target": "2"}), ((), None), (None, None)])
def test_targets_reach_the_scorer_with_the_other_columns(targets, single):
    wanted = {"level": 2} | ({} if single is None else {"targets": targets} | single)
    record = Record(kind="prompt_target", line=1, prompt="q", targets=targets, columns={"level": 2})
    assert dict(prompt_of(record).columns) == wanted
