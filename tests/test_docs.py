"""The words: pages are up to date, links lead somewhere, flags are documented, no figure stands without evidence."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import shlex
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import pytest
import typer
from benchmarks import pages as speed
from benchmarks.line import Line

import operant.methods
import test_contract
from operant.card import Card, Claim
from operant.cli.app import app
from operant.compare import assemble
from operant.compare.aggregate import make_row
from operant.compare.options import Options
from operant.compare.rows import Row
from operant.compare.verify import ORDER
from operant.disk import read_json
from operant.domains.text.tasks.reviews.gold import HIGH, WEIGHTS
from operant.domains.text.tasks.reviews.task import METRICS, Knobs
from operant.evidence import read_evidence
from operant.methods import slugs, sources

ROOT = Path(__file__).parents[1]
README, DOCS = ROOT / "README.md", ROOT / "docs"
PROSE = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
EVIDENCE = ROOT / "docs/evidence.md"  # the one page of figures, dated
PAGES = [*PROSE, *sorted((DOCS / "methods").glob("*.md"))]
COMMANDS = ("compare", "train", "answer", "score", "report", "verify", "env", "serve",
            "methods", "methods show", "data check", "data convert")  # fmt: skip


def module_of(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


build_pages = module_of("build_pages", ROOT / "scripts/build_pages.py")


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def marked(text: str, name: str) -> str:
    return text.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]


def cells(table: str) -> list[list[str]]:
    """The rows of the tables in a text, head and rule left out."""
    lines = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines]


# Pages made from cards and evidence


def test_pages_are_up_to_date(capsys):
    assert build_pages.main(["--check"]) == 0, capsys.readouterr().err


def test_a_page_that_is_out_of_date_is_named(monkeypatch, capsys):
    wanted = build_pages.pages()
    monkeypatch.setattr(build_pages, "pages", lambda: wanted | {README: wanted[README] + "more"})
    assert build_pages.main(["--check"]) == 1
    assert capsys.readouterr().err == "README.md is out of date; run python -m scripts.build_pages\n"


def test_every_method_has_a_page_and_no_page_is_left_over():
    assert {path.stem for path in (DOCS / "methods").glob("*.md")} == {*slugs(), "index"}


def test_filling_a_place_twice_is_filling_it_once():
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb"
    once = build_pages.filled(text, "x", "new \\1")
    assert once == "a\n<!-- x -->\nnew \\1\n<!-- /x -->\nb"
    assert build_pages.filled(once, "x", "new \\1") == once


CLAIM = Claim("reviews", "quality", "up", against="base", smallest=0.1)
FOUND = {"task": "reviews", "row": "some", "metric": "quality", "direction": "up", "against": "base", "smallest": 0.1,
         "difference": 0.456, "low": 0.234, "high": 0.678, "p": 0.001, "verdict": "reproduced"}  # fmt: skip


def attempt(**changes: Any) -> dict[str, Any]:
    return {"date": "2026-01-02", "seeds": 5, "trials": 4, "source": "abc", "claims": [FOUND | changes]}


def test_figures_on_a_page_are_those_of_the_last_attempt():
    about = Card(slug="some", family="f", kind="method", paper="", title="Some", claims=(CLAIM,))
    first = attempt(difference=0.01, low=-0.1, high=0.12, verdict="inconclusive")
    claims = build_pages.claims(about, [first, attempt()])
    assert cells(claims)[1:] == [["quality goes up against `base` by 0.1 or more", "reviews", "reproduced",
                                  "+0.46 [+0.23, +0.68]"]]  # fmt: skip
    # Every attempt stays on the page, in the order they were made.
    assert [row[6] for row in cells(build_pages.tried([first, attempt()]))[1:]] == ["inconclusive", "reproduced"]
    told = build_pages.measured({"slug": "some", "attempts": [first, attempt()]})
    assert told == "quality against base: +0.46 [+0.23, +0.68] (2026-01-02, 5 seeds)"
    # A claim about another row names it, by its settings alone.
    other = attempt(row="some:beta=1", against="some:beta=2")
    told = build_pages.measured({"slug": "some", "attempts": [other]})
    assert told == "beta=1: quality against beta=2: +0.46 [+0.23, +0.68] (2026-01-02, 5 seeds)"


@pytest.mark.parametrize("change", [{"smallest": 0.05}, {"against": "dpo"}, {"row": "some:beta=1"}])
def test_a_claim_that_has_changed_since_was_not_tested(change):
    about = Card(slug="some", family="f", kind="method", paper="", title="Some", claims=(CLAIM,))
    assert cells(build_pages.claims(about, [attempt(**change)]))[1][2:] == ["not tested", "–"]


# No word about a method that its evidence does not hold


def test_tables_of_speed_are_those_of_the_last_measurement():
    results = read_json(ROOT / "benchmarks/results.json")
    for page, wanted in ((speed.README, speed.brief(results)), (speed.PAGE, results)):
        assert marked(page.read_text(), speed.PLACE) == f"\n{speed.tables(wanted)}\n"


@pytest.mark.parametrize(
    ("most", "values", "verdict", "doubtful"),
    [
        (False, [4.2, 4.3, 9.0], "holds", False),
        (False, [4.1, 4.3, 9.0], "holds in 2 of 3", False),
        (False, [4.1, 4.0, 9.0], "holds in 1 of 3", True),
        (True, [4.1, 4.0, 9.0], "holds in 2 of 3", False),
        (True, [4.1, 9.0], "holds in 1 of 2", True),
        (True, [4.3, 9.0], "does not hold", True),
    ],
)
def test_a_floor_holds_by_the_rounds_that_reach_it(most, values, verdict, doubtful):
    line = Line("a round", "another", 4.2, 6, values, most)
    assert (line.verdict, line.doubtful) == (verdict, doubtful)
    assert (f"**{verdict}**" if doubtful else verdict) == speed.cells(line)[-1]


def test_verdicts_in_the_readme_are_those_of_the_evidence():
    found = {}
    for method, _, verdict, measured in cells(marked(README.read_text(), "evidence-table"))[1:]:
        slug = re.match(r"\[(.*?)\]", method)[1]
        found[slug] = verdict
        evidence = read_evidence(slug)
        held = evidence["attempts"][-1]["claims"] if evidence else []
        numbers = [f"{one[key]:+.2f}" for one in held for key in ("difference", "low", "high") if one[key] is not None]
        assert re.findall(r"[+-]\d+\.\d\d", measured) == numbers
    for slug in slugs():
        evidence = read_evidence(slug)
        claims = operant.methods.card(slug).claims
        assert found.pop(slug) == (evidence["verdict"] if evidence else "not tested" if claims else "no claims")
    assert not found


@pytest.mark.parametrize("path", [path for path in PROSE if path != EVIDENCE], ids=lambda path: path.name)
def test_prose_gives_no_method_a_verdict_or_a_figure(path):
    text = path.read_text()
    for name in ("evidence-table", "demo-output"):
        text = text.replace(marked(text, name), "")
    names = "|".join(re.escape(slug) for slug in slugs() if slug != "base")
    for sentence in re.split(r"(?<=[.;])\s|\n", without_code(text)):
        if re.search(rf"`({names})`", sentence):
            assert not re.search(r"[+−±]\d|\b\d+(\.\d+)?%|\breproduced\b", sentence), sentence


def test_verdict_words_are_explained():
    table = cells((ROOT / "CONTRIBUTING.md").read_text())
    assert set(ORDER) <= {row[0] for row in table}


# Links


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", without_code(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text())):
        if target.startswith("https://arxiv.org/abs/") or target.startswith("https://doi.org/"):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.is_file(), f"{path.name} links to {target}"
        assert DOCS not in path.parents or DOCS in there.parents, f"{target} is outside the site"
        assert not anchor or anchor in anchors(there.read_text()), f"{path.name} links to {target}"


def test_the_link_search_finds_links():
    assert sum(len(re.findall(r"\]\(", path.read_text())) for path in PAGES) > 20


# Commands and flags


def flags() -> dict[str, set[str]]:
    """Command path to its flags, --help left out."""

    def walk(command: Any, path: tuple[str, ...]) -> dict[str, set[str]]:
        options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
        found = {" ".join(path): {name for one in options for name in one.opts}}
        for name, child in getattr(command, "commands", {}).items():
            found |= walk(child, (*path, name))
        return found

    return walk(typer.main.get_command(app), ())


def test_every_command_has_a_section_with_just_its_flags():
    text = (DOCS / "cli.md").read_text()
    for command in COMMANDS:
        section = text.partition(f"\n## `operant {command}`\n")[2].partition("\n## ")[0]
        assert section, f"docs/cli.md has no section on {command}"
        documented = {row[0].strip("`") for row in cells(section) if row[0].startswith("`-")}
        assert documented == flags()[command], command
    leaves = {name for name, own in flags().items() if own or name in ("report", "env")}
    assert leaves == set(COMMANDS)


def commands(text: str) -> list[list[str]]:
    """Words of every `operant ...` line in code blocks; a table's title, `operant compare: ...`, is none."""
    lines = [line for block in re.findall(r"```.*?```", text, flags=re.DOTALL) for line in block.splitlines()]
    return [shlex.split(line.removeprefix("$ "), comments=True)[1:] for line in lines
            if re.match(r"(\$ )?operant [a-z]+( |$)", line)]  # fmt: skip


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_examples_exist_with_their_flags(path):
    known = flags()
    for words in commands(path.read_text()):
        name = next(name for name in (" ".join(words[:2]), words[0]) if name in known)
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= known[name], words


def test_there_are_examples_to_try():
    assert len(commands(README.read_text())) >= 8


# Tables that repeat what the code says


def test_defaults_of_compare_are_documented():
    section = (DOCS / "cli.md").read_text().partition("## `operant compare`")[2].partition("\n## ")[0]
    told = {row[0].strip("`-").replace("-", "_"): row[1] for row in cells(section)}
    defaults = {one.name: str(one.default) for one in fields(Options) if isinstance(one.default, int | str)}
    assert defaults.keys() >= {"seeds", "trials"}
    assert {name: told[name] for name in defaults} == defaults


def test_knobs_and_weights_of_reviews_are_documented():
    text = (DOCS / "tasks.md").read_text()
    table = {row[0].strip("`"): row for row in cells(text.replace(marked(text, "base-table"), ""))}
    knobs = asdict(Knobs())
    style = {f"style.{name}": value for name, value in knobs.pop("style").items()}
    for name, value in (knobs | style).items():
        assert float(table[name][1]) == value, name
    for name, value in WEIGHTS.items():
        assert table[name][3].replace("−", "-") == str(value), name
    assert {metric.name for metric in METRICS} <= set(table)
    assert all(f"{name} at least {value}" in table["both"][2] for name, value in HIGH.items())


def test_fields_of_the_report_are_documented():
    tree = ast.parse(inspect.getsource(assemble.assemble))
    literal = next(node.value for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)
                   and isinstance(node.value, ast.Dict) and "rows" in ast.unparse(node.value))  # fmt: skip
    made = {key.value for key in literal.keys if isinstance(key, ast.Constant)}
    made |= set(re.findall(r'report\["(\w+)"\] =', inspect.getsource(assemble.assemble)))
    row = make_row(Row(name="a", slug="a", settings={}), [], task="reviews", seed=None, primary="quality")
    told = {name for line in cells((DOCS / "compare.md").read_text()) for name in re.findall(r"`(\w+)`", line[0])}
    assert made | set(row) <= told, (made | set(row)) - told


# The method that CONTRIBUTING.md builds


@pytest.fixture
def example(tmp_path, monkeypatch) -> ModuleType:
    """The method and its test from the page, standing in the registry under their own names."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (source,) = re.findall(r"`src/operant/methods/\w+/\w+\.py`:\n\n```python\n(.*?)```", text, flags=re.DOTALL)
    (test,) = re.findall(r"`tests/methods/\w+\.py`:\n\n```python\n(.*?)```", text, flags=re.DOTALL)
    method, checks = tmp_path / "optimize/ipo.py", tmp_path / "ipo_checks.py"
    method.parent.mkdir()
    method.write_text(source)
    checks.write_text(test)
    both = MappingProxyType({**sources(), "ipo": method})
    for module in (operant.methods, test_contract):
        monkeypatch.setattr(module, "sources", lambda: both)
        monkeypatch.setattr(module, "HERE", tmp_path, raising=False)
    for name in ("operant.methods.optimize.ipo", "ipo_checks"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))  # taken away again after the test
    module_of("operant.methods.optimize.ipo", method)
    return module_of("ipo_checks", checks)


def test_the_example_method_passes_its_own_tests(example, tiny_run):
    checks = {name: check for name, check in vars(example).items() if name.startswith("test_")}
    assert len(checks) == 4
    for check in checks.values():
        check(**({"tiny_run": tiny_run} if inspect.signature(check).parameters else {}))


def test_the_example_method_passes_the_contract(example, tiny_run, tmp_path):
    slug = "ipo"
    test_contract.test_the_card_in_the_source_is_the_card_in_memory(slug)
    test_contract.test_claims_can_be_tested(slug, tiny_run)
    test_contract.test_settings_are_frozen_named_and_closed(slug)
    test_contract.test_tuning_starts_from_the_default_and_every_point_is_valid(slug)
    test_contract.test_the_same_seed_gives_the_same_result_and_the_disk_keeps_it(slug, tiny_run, tmp_path)
    test_contract.test_the_budget_is_kept(slug)
    test_contract.test_the_base_is_left_as_it_was(slug)


def test_the_benchmarks_start_from_the_root():
    done = subprocess.run([sys.executable, "-m", "benchmarks", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "usage: python -m benchmarks" in done.stdout, done.stderr
