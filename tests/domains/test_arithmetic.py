"""The `arithmetic` task: exact truth clause by clause, feedback that is what it says, a base with room both ways."""

import time
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import pytest

from operant.domains.text.maths.verifier import AnswerVerifier
from operant.domains.text.tasks.arithmetic import Arithmetic, Knobs
from operant.domains.text.tasks.arithmetic.check import check, clauses, gold
from operant.domains.text.tasks.arithmetic.generator import (
    LEVELS,
    UNKNOWN,
    Problem,
    Style,
    corrupted,
    draw,
    padded,
    program,
    python,
    solution,
    vocabulary,
)
from operant.domains.text.tasks.arithmetic.task import inverse_of, problem_of, prompt_of
from operant.domains.text.tasks.arithmetic.wordings import WORDINGS
from operant.errors import NotApplicable, OperantError
from operant.meter import metered
from operant.sandbox import Worker, run_program
from operant.schema import Answer, Decoding, Feedback, Task

# 14 + 7 = 21, 21 - 5 = 16, 16 / 4 = 4
TOM = Problem("tom", "apples", 14, (("+", 7), ("-", 5), ("/", 4)), wording=0)
RIGHT = "1 4 + 7 = 2 1 . 2 1 - 5 = 1 6 . 1 6 / 4 = 4 . answer 4"
SMALL = Knobs(pairs=60, valid_pairs=20, test_prompts=25, test_pairs=10)


def problems(count, **settings):
    rng = Random(0)
    return [draw(rng, Style(**settings)) for _ in range(count)]


# The generator


def test_a_problem_and_its_solution_by_hand():
    assert TOM.text() == (
        "tom has 1 4 apples . buys 7 more . loses 5 . keeps one of 4 equal parts . how many apples now ?"
    )
    assert (TOM.level, TOM.end, TOM.target) == (3, 4, 4)
    assert solution(TOM.steps()) == RIGHT


def test_the_inverse_question_is_solved_backwards():
    # from 4: 4 * 4 = 16, 16 + 5 = 21, 21 - 7 = 14
    asked = TOM._replace(inverse=True)
    assert asked.text() == (
        "tom has some apples . buys 7 more . loses 5 . keeps one of 4 equal parts . now there are 4 . "
        "how many apples at first ?"
    )
    assert asked.target == 14
    assert solution(asked.steps()) == "4 * 4 = 1 6 . 1 6 + 5 = 2 1 . 2 1 - 7 = 1 4 . answer 1 4"


def test_programs_run_and_give_the_target():
    assert program(TOM) == "n = 1 4 ; n = n + 7 ; n = n - 5 ; n = n // 4 ; answer = n"
    with Worker() as worker:
        for problem in problems(50, inverse=0.5):
            assert run_program(python(program(problem)), worker=worker).value["value"] == problem.target


def test_every_quantity_on_the_way_stays_in_bounds():
    style = Style()
    for problem in problems(2000):
        results = [problem.start, *(step.result for step in problem.steps())]
        assert all(1 <= value <= style.largest for value in results)
        assert all(number <= (style.operand if sign in "+-" else style.factor) for sign, number in problem.operations)
        assert all(step.left % step.right == 0 for step in problem.steps() if step.sign == "/")


def test_levels_are_drawn_alike():
    count = 5000
    share = [sum(problem.level == level for problem in problems(count)) / count for level in LEVELS]
    assert all(abs(one - 1 / 5) < 4 * (0.2 * 0.8 / count) ** 0.5 for one in share)
    assert {problem.level for problem in problems(100, levels=(2, 4))} == {2, 4}


def test_paraphrases_keep_the_answer_and_differ_in_words():
    asked = prompt_of(TOM)
    texts = {prompt_of(TOM, wording=place).content for place in range(len(WORDINGS))}
    assert len(texts) == len(WORDINGS) >= 4
    assert {prompt_of(TOM, wording=place).columns["target"] for place in range(4)} == {asked.columns["target"]} == {"4"}
    assert inverse_of(asked).columns["target"] == "14" and inverse_of(inverse_of(asked)) == asked
    assert {problem.wording for problem in problems(200, wordings=2)} == {0, 1}


def test_problems_out_of_reach_have_far_larger_numbers():
    assert not any(problem.beyond for problem in problems(200))
    for problem in problems(200, beyond=1.0):
        assert problem.beyond and problem.start > 10 * Style().largest
        assert gold(solution(problem.steps()), problem)["accuracy"] == 1.0


def test_filler_is_right_and_useless():
    chain = padded(Random(0), TOM.steps(), 1.0)
    text = solution(chain)
    assert text == (
        "1 4 + 7 = 2 1 . 2 1 + 0 = 2 1 . 2 1 - 5 = 1 6 . 1 6 + 0 = 1 6 . 1 6 / 4 = 4 . 4 + 0 = 4 . answer 4"
    )
    assert gold(text, TOM) == {"accuracy": 1.0, "steps": 3 / 3, "filler": 3 / 6}
    assert check(text, TOM).clauses == (True,) * 7
    assert padded(Random(0), TOM.steps(), 0.0) == TOM.steps()


def test_a_mistake_is_carried_on():
    for problem in problems(500, inverse=0.3):
        chain = corrupted(Random(1), problem)
        found = check(solution(chain), problem)
        wrong = found.clauses.index(False)
        assert not found.right and found.done == wrong < problem.level
        assert all(one.result == two.left for one, two in zip(chain, chain[1:], strict=False))
        assert found.clauses == (True,) * wrong + (False,) * (problem.level + 1 - wrong)


def test_every_word_is_in_the_vocabulary():
    known = set(vocabulary())
    for problem in problems(500, inverse=0.5, beyond=0.2):
        assert set(f"{problem.text()} {solution(problem.steps())} {program(problem)}".split()) <= known
    assert len(known) < 120 and set(UNKNOWN.split()) <= known


# The truth


@pytest.mark.parametrize(
    "text, labels, accuracy, steps, filler",
    [
        (RIGHT, "1111", 1.0, 3 / 3, 0.0),
        ("14 + 7 = 21 . 21 - 5 = 16 . 16 / 4 = 4 . answer 4", "1111", 1.0, 3 / 3, 0.0),  # digits together
        ("7 + 1 4 = 2 1 . 2 1 - 5 = 1 6 . 1 6 / 4 = 4 . answer 4", "1111", 1.0, 3 / 3, 0.0),
        ("1 4 + 7 = 2 0 . 2 0 - 5 = 1 5 . 1 5 / 4 = 3 . answer 3", "0000", 0.0, 0 / 3, 0.0),
        ("1 4 + 7 = 2 1 . 2 1 - 5 = 1 7 . 1 7 / 4 = 4 . answer 4", "1001", 1.0, 1 / 3, 0.0),  # right by luck
        ("1 4 + 7 = 2 0 . 1 4 + 7 = 2 1 . 2 1 - 5 = 1 6 . 1 6 / 4 = 4 . answer 4", "01111", 1.0, 3 / 4, 0.0),
        ("answer 4", "1", 1.0, 0 / 3, 0.0),
        ("1 4 + 7 = 2 1 . answer 2 1", "10", 0.0, 1 / 3, 0.0),
        ("1 4 * 1 = 1 4 . answer 4", "11", 1.0, 0 / 3, 1 / 1),
        ("2 + 2 = 4 . answer 4", "01", 1.0, 0 / 3, 0.0),  # true, but no step of this problem
        ("5 + 0 = 5 . answer 4", "01", 1.0, 0 / 3, 0.0),  # useless, and not at the value reached
        ("answer 4 . answer 5", "10", 0.0, 0 / 3, 0.0),
        ("answer 4 . 1 + 1 = 2", "10", 0.0, 0 / 3, 0.0),
        ("answer", "0", 0.0, 0.0, 0.0),
        ("answer - 4", "0", 0.0, 0.0, 0.0),
        ("answer " + "9 " * 5000, "0", 0.0, 0.0, 0.0),
        ("1 4 + + 7 = 2 1", "0", 0.0, 0.0, 0.0),
        ("= 1 + 2", "0", 0.0, 0.0, 0.0),
        (". . .", "", 0.0, 0.0, 0.0),
        ("", "", 0.0, 0.0, 0.0),
        ("\u0661 \U0001f642", "0", 0.0, 0.0, 0.0),
        (UNKNOWN, "0", 0.0, 0.0, 0.0),
    ],
)
def test_gold_by_hand(text, labels, accuracy, steps, filler):
    assert "".join(str(int(one)) for one in check(text, TOM).clauses) == labels
    assert len(clauses(text)) == len(labels)
    assert gold(text, TOM) == {"accuracy": accuracy, "steps": steps, "filler": filler}


def test_gold_of_the_task_is_total():
    task = Arithmetic(knobs=SMALL)
    prompts = task.prompts("test")[:3]
    found = task.gold(prompts, [Answer(value=""), Answer(value=None), Answer(value="answer 1")])
    assert list(found) == [metric.name for metric in task.metrics] and task.metrics[0].name == "accuracy"
    assert all(score.value is not None for scores in found.values() for score in scores)


def test_the_answer_verifier_agrees():
    task = Arithmetic(knobs=SMALL)
    prompts = task.prompts("train")
    texts = [python(solution(problem_of(prompt).steps())) for prompt in prompts]
    found = AnswerVerifier().score(prompts, [Answer(value=text) for text in texts])
    assert [score.value for score in found] == [1.0] * len(prompts)


# The feedback


def test_pairs_are_right_against_wrong():
    task = Arithmetic(knobs=SMALL)
    for split, count in (("train", 60), ("valid", 20), ("test", 10)):
        pairs = task.pairs(split)
        assert len(pairs) == count
        for pair in pairs:
            problem = problem_of(pair.prompt)
            assert pair.chosen.value == solution(problem.steps())
            assert not check(pair.rejected.value, problem).right


def test_judged_answers_carry_a_label_for_each_clause():
    task = Arithmetic(knobs=SMALL)
    found = task.judged("train")
    assert len(found) == 2 * SMALL.pairs and [one.label for one in found[:2]] == [True, False]
    for one in found:
        assert len(one.steps) == len(one.answer.value.split(" . "))
        assert all(one.steps) == one.label


def test_verify_is_metered_and_refuses_test_prompts():
    task = Arithmetic(knobs=SMALL)
    pairs = task.pairs("train") + task.pairs("valid")
    with metered() as cost:
        assert {one.value for one in task.verify([p.prompt for p in pairs], [p.chosen for p in pairs])} == {1.0}
        assert {one.value for one in task.verify([p.prompt for p in pairs], [p.rejected for p in pairs])} == {0.0}
    assert (cost.verifier_calls, cost.labels) == (2 * 80, 0)
    asked = task.prompts("test")[:1]
    for call in (lambda: task.verify(asked, [Answer(value="")]), lambda: task.ask(asked, *[[Answer(value="")]] * 2)):
        with pytest.raises(OperantError, match="1 of 1 prompts are test prompts"):
            call()


def test_ask_is_the_verifier_and_costs_labels():
    task = Arithmetic(knobs=SMALL)
    pair = task.pairs("train")[0]
    with metered() as cost:
        verdicts = task.ask(
            [pair.prompt] * 3, [pair.chosen, pair.rejected, pair.chosen], [pair.rejected, pair.chosen, pair.chosen]
        )
    assert verdicts == [1.0, 0.0, 0.5] and (cost.labels, cost.verifier_calls) == (3, 0)


def test_what_there_is_not():
    with pytest.raises(NotApplicable, match="has no documents"):
        Arithmetic().documents("train")
    with pytest.raises(NotApplicable, match="no pairs about 'sentiment'"):
        Arithmetic().pairs("train", attribute="sentiment")


def test_test_prompts_are_shared_and_never_trained_on():
    first, second = Arithmetic(seed=0), Arithmetic(seed=1)
    assert first.prompts("test") == second.prompts("test") and first.pairs("test") == second.pairs("test")
    assert first.pairs("train") == Arithmetic(seed=0).pairs("train") != second.pairs("train")
    tested = {prompt.id for prompt in first.prompts("test")} | {pair.prompt.id for pair in first.pairs("test")}
    for task in (first, second):
        assert not tested & {prompt.id for split in ("train", "valid") for prompt in task.prompts(split)}


def test_few_prompts_are_left_and_so_none_is_repeated_from_the_test():
    # One level, one wording, numbers to 4: some of a few thousand prompts would be drawn again.
    style = Style(levels=(1,), largest=4, operand=3, factor=2, wordings=1)
    task = Arithmetic(knobs=Knobs(pairs=300, valid_pairs=50, test_prompts=100, test_pairs=50, style=style))
    tested = {prompt.id for prompt in task.prompts("test")}
    assert not tested & {prompt.id for prompt in task.prompts("train")}
    free = Random(0)
    assert tested & {prompt_of(draw(free, style)).id for _ in range(300)}  # without the rule they would have met


def test_levels_take_turns_in_the_test_split():
    levels = [prompt.columns["level"] for prompt in Arithmetic(knobs=SMALL).prompts("test")]
    assert levels == list(LEVELS) * 5


def test_identity_hangs_on_every_knob():
    whole = Arithmetic().identity()
    assert Arithmetic(seed=5).identity() == whole  # seeds are of runs, not of the task
    assert Arithmetic(knobs=replace(Knobs(), style=Style(filler=0.1))).identity() != whole
    small = Arithmetic().resized(pairs=10, test_prompts=5)
    assert (len(small.pairs("train")), len(small.prompts("test"))) == (10, 5) and small.identity() != whole
    promised = {name for part in (Feedback, Task) for name in (*part.__annotations__, *vars(part)) if name[0] != "_"}
    assert promised <= set(dir(small))
    assert small.summary()["test prompts"] == 5


def test_two_thousand_items_a_second():
    task = Arithmetic(knobs=replace(Knobs(), pairs=1000))
    started = time.process_time()
    pairs = task.pairs("train")
    assert len(pairs) / (time.process_time() - started) > 2000


# The base


def test_the_base_is_small_and_leaves_room():
    task = Arithmetic()
    base = task.base()
    assert sum(weight.numel() for weight in base.module.parameters()) < 1_100_000
    prompts = [prompt for prompt in task.prompts("test") if prompt.columns["level"] == 3]
    drawn = base.answer(prompts, n=8, decoding=Decoding(max_tokens=64), seed=0)
    texts = [one for many in drawn for one in many]
    right = task.gold([prompt for prompt in prompts for _ in range(8)], texts)["accuracy"]
    accuracy = sum(score.value for score in right) / len(right)
    assert len(right) == 20 * 8 and 0.2 < accuracy < 0.7
    assert sum(answer.finish == "stop" for answer in texts) > 0.9 * len(texts)


def test_knobs_and_metrics_are_documented():
    page = Path(__file__).parents[2] / "docs" / "tasks.md"
    section = page.read_text().partition("## `arithmetic`")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:2] == "| "]
    told = {row[0].strip("`"): row[1] for row in rows}
    knobs = asdict(Knobs())
    style = {f"style.{name}": value for name, value in knobs.pop("style").items()}
    style["style.levels"] = ", ".join(str(level) for level in style["style.levels"])
    assert {name: told.get(name) for name in knobs | style} == {name: str(v) for name, v in (knobs | style).items()}
    assert {metric.name for metric in Arithmetic.metrics} <= set(told)
