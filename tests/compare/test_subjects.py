"""A comparison whose answers are no texts, from options to a page."""

from pathlib import Path

import pytest

from operant.compare.assemble import assemble
from operant.compare.budget import BudgetExceeded, Ceiling
from operant.compare.cell import run_cell
from operant.compare.options import Options
from operant.compare.products import load_generator
from operant.compare.report.markdown import markdown
from operant.compare.report.page import html
from operant.compare.report.terminal import terminal
from operant.compare.rows import parse_rows
from operant.compare.setup import make_task
from operant.compare.tasks import represent, subject_of
from operant.disk import write_json
from operant.domains.control.represent import Episode
from operant.errors import UnknownName
from operant.meter import Cost, charge, metered
from operant.schema import Decoding

OPTIONS = Options(
    methods=("base", "global-episodic-bonuses:hidden=8,num_grids=2,unroll=10"), task="gridworld", seeds=1, limit=20,
    prompts=6, trials=1, budget=400.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("grids")
    write_json(directory / "run.json", {"options": OPTIONS.to_json()})
    for row in parse_rows(OPTIONS):
        run_cell(directory, row, 0, lambda stage: None)
    return directory


@pytest.fixture(scope="module")
def report(run):
    return assemble(run, OPTIONS, parse_rows(OPTIONS), make_task(OPTIONS, seed=0))


def test_rows_are_done_and_the_ceiling_is_in_steps(report):
    base, learnt = (row for row in report["rows"] if row["seed"] == 0)
    assert (base["status"], learnt["status"]) == ("done", "done")
    assert "training/env_steps" not in base["cost"]
    assert learnt["cost"]["training/env_steps"]["mean"] == 400 - 400 % 60  # whole updates: 2 x 10 steps in 3 worlds
    assert learnt["budget_share"] == pytest.approx(360 / 400)


def test_what_cannot_be_said_of_episodes_is_left_out(report):
    (row, *_) = report["rows"]
    assert row["kl"]["kind"] == "none" and "episodes" in row["kl"]["why"]
    assert row["proxy"] is None
    assert list(row["diversity"]) == ["fresh_cells"]


def test_the_page_draws_episodes_and_the_other_ways_out_work(report):
    page = html(report)
    assert page.count("<svg role") >= 2 * 6  # a map for each row and prompt
    assert "fresh cells" in page
    assert "S" in report["examples"][0]["prompt"]
    assert "global-episodic-bonuses" in markdown(report)
    assert terminal(report)


def test_a_report_holds_no_markup(report):
    assert "<svg" not in str(report)


def test_the_findings_are_there(report):
    assert [one["name"].rsplit(" ", 1)[1] for one in report["findings"]] == ["same", "shared", "new"]


def test_the_saved_agents_act_again(run):
    (row,) = [row for row in parse_rows(OPTIONS) if row.slug != "base"]
    generator = load_generator(run / "models" / f"{row.key}-0")
    prompts = make_task(OPTIONS, seed=0).prompts("test")[:2]
    (first, _) = generator.answer(prompts, n=1, decoding=Decoding(), seed=0)
    assert isinstance(first[0].value, Episode)


def test_a_ceiling_plans_by_what_is_scarcest():
    ceiling = Ceiling(env_steps=100, evaluations=30)
    with metered():
        charge(env_steps=20)
        assert ceiling.plan(env_steps_per_step=10) == 8
        assert ceiling.plan(env_steps_per_step=10, evaluations_per_step=5) == 6
        with pytest.raises(BudgetExceeded, match="100 environment steps and 30 evaluations has 80 environment steps"):
            ceiling.plan(env_steps_per_step=81)
    assert ceiling.share(Cost(env_steps=50, evaluations=20)) == pytest.approx(20 / 30)
    assert ceiling.scaled(0.5) == Ceiling(env_steps=50, evaluations=15)


def test_subjects_are_folders():
    assert (subject_of("reviews"), subject_of("gridworld")) == ("text", "control")
    assert represent("control").show
    with pytest.raises(UnknownName, match="'contrl'.*control"):
        represent("contrl")
