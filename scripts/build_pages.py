"""Fill the marked places of README.md and write docs/methods/ from cards, sources and evidence.

python -m scripts.build_pages              write what cards and evidence decide
python -m scripts.build_pages --check      write nothing; exit status 1 when something is out of date
python -m scripts.build_pages --demo RUN   also put the table of a finished comparison into README.md
python -m scripts.build_pages --base       also measure the base of `reviews` again, about a minute
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.settings_table import settings

from operant.card import Card, Claim
from operant.cli.methods import row
from operant.disk import read_json, write_text
from operant.evidence import read_evidence
from operant.methods import card, slugs, sources

ROOT = Path(__file__).parents[1]
README, TASKS, PAGES = ROOT / "README.md", ROOT / "docs/tasks.md", ROOT / "docs/methods"
LINKS = {"arXiv:": "https://arxiv.org/abs/", "doi:": "https://doi.org/"}
NOTHING = "–"
ABOUT = ("task", "row", "metric", "direction", "against", "smallest")  # what makes two claims the same
NOTE = "<!-- Written by scripts/build_pages.py from the method's source and evidence; changes here are lost. -->"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--demo", type=Path, metavar="RUN")
    parser.add_argument("--base", action="store_true")
    args = parser.parse_args(arguments)
    if args.demo:
        write_text(README, filled(README.read_text("utf-8"), "demo-output", demo(read_json(args.demo / "report.json"))))
    if args.base:
        write_text(TASKS, filled(TASKS.read_text("utf-8"), "base-table", base_table()))
    wanted = pages()
    late = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    gone = sorted(set(PAGES.glob("*.md")) - set(wanted))
    if args.check:
        for path in [*late, *gone]:
            sys.stderr.write(f"{path.relative_to(ROOT)} is out of date; run python -m scripts.build_pages\n")
        return int(bool(late or gone))
    for path in late:
        write_text(path, wanted[path])
    for path in gone:
        path.unlink()
    return 0


def pages() -> dict[Path, str]:
    """Every file that is made here, with its text."""
    made = {PAGES / f"{slug}.md": page(card(slug), sources()[slug], read_evidence(slug)) for slug in slugs()}
    made[PAGES / "index.md"] = f"# Methods\n\n{NOTE}\n\n{INTRODUCTION}\n\n{table('')}\n"
    readme = filled(README.read_text("utf-8"), "evidence-table", table("docs/methods/"))
    return made | {README: filled(readme, "house-map", house())}


INTRODUCTION = (
    "A verdict is what `operant verify` last found of the method's worst claim, at equal budget and tuning. The "
    "figures are differences with their 95% intervals. Every attempt stands on the method's page; none is removed."
)


def filled(text: str, name: str, content: str) -> str:
    """The text with new content between `<!-- name -->` and `<!-- /name -->`."""
    place = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    assert len(place.findall(text)) == 1, f"expected one place named {name}"
    return place.sub(lambda found: f"{found[1]}{content}\n{found[2]}", text)


# Tables of all methods


def table(folder: str) -> str:
    """One line a method: what it is, the verdict on its claims, the figures behind it."""
    lines = ["| Method | What it is | Verdict | Measured |", "| --- | --- | --- | --- |"]
    for slug in slugs():
        about, evidence = card(slug), read_evidence(slug)
        verdict = row(about)["evidence"]
        lines.append(f"| [{slug}]({folder}{slug}.md) | {about.title} | {verdict} | {measured(evidence)} |")
    return "\n".join(lines)


def measured(evidence: Mapping[str, Any] | None) -> str:
    """The claims of the last attempt, each with its figures and the date."""
    if not evidence:
        return NOTHING
    last = evidence["attempts"][-1]
    told = [f"{compared(evidence['slug'], claim)}: {figures(claim)}" for claim in last["claims"]]
    return "<br>".join(told) + f" ({last['date']}, {last['seeds']} seeds)"


def compared(slug: str, claim: Mapping[str, Any]) -> str:
    """`quality against base`; another row than the method itself is named, by its settings alone where they differ."""
    who = "" if claim["row"] == slug else f"{claim['row'].removeprefix(f'{slug}:')}: "
    return f"{who}{claim['metric']} against {claim['against'].removeprefix(f'{slug}:')}"


def figures(claim: Mapping[str, Any]) -> str:
    if claim["difference"] is None:
        return NOTHING
    return f"{claim['difference']:+.2f} [{claim['low']:+.2f}, {claim['high']:+.2f}]"


# The page of one method


def page(about: Card, source: Path, evidence: Mapping[str, Any] | None) -> str:
    tree = ast.parse(source.read_text("utf-8"))
    attempts = evidence["attempts"] if evidence else []
    parts = [
        f"# {about.title}", NOTE,
        f"`{about.slug}`, {about.kind} of the family {about.family}" + (f"; {paper(about)}" if about.paper else ""),
        ast.get_docstring(tree) or "",
        f"Source: `{source.relative_to(ROOT)}`.",
        "## Settings", settings(about, source),
        "## Claims", claims(about, attempts),
        *(["## Attempts", "Oldest first; none is removed.", tried(attempts)] if attempts else []),
        *listed("What differs from the paper", about.differs, ""),
        *listed("Stands beside", about.baselines, "`"), *listed("Needs", about.needs, "`"),
        "## Run it", f"```\n{command(about)}\n```",
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def paper(about: Card) -> str:
    link = next((about.paper.replace(name, site) for name, site in LINKS.items() if about.paper.startswith(name)), "")
    return f"paper [{about.paper}]({link})" if link else f"paper {about.paper}"


def listed(title: str, items: Sequence[str], quote: str) -> list[str]:
    return [f"## {title}", "\n".join(f"- {quote}{item}{quote}" for item in items)] if items else []


def command(about: Card) -> str:
    """What compares it with base and the rows it claims to beat, here and on your own data; what verifies it."""
    rows = dict.fromkeys(("base", *about.baselines, *(claim.against for claim in about.claims), about.slug))
    words = " ".join(f"--method '{name}'" if ":" in name else f"--method {name}" for name in rows)
    verify = f"\noperant verify {about.slug}" if about.claims else ""
    own = (
        f"\noperant compare --model DIR --data FILE --method base --method {about.slug}" if about.slug != "base" else ""
    )
    return f"operant compare --task {about.task} {words}{own}{verify}"


def claims(about: Card, attempts: Sequence[Mapping[str, Any]]) -> str:
    """What the card claims, beside what the last attempt found."""
    if not about.claims:
        return "It makes none: it is there to be compared with."
    lines = ["| Claim | Task | Verdict | Difference [95%] |", "| --- | --- | --- | --- |"]
    for claim in about.claims:
        found = last_found(claim, about.slug, attempts)
        verdict, seen = (found["verdict"], figures(found)) if found else ("not tested", NOTHING)
        lines.append(f"| {sentence(claim)} | {claim.task} | {verdict} | {seen} |")
    return "\n".join(lines)


def sentence(claim: Claim) -> str:
    size = f"by {claim.smallest:g} or more" if claim.smallest else "by any amount"
    who = f"`{claim.row}`: " if claim.row else ""
    return f"{who}{claim.metric} goes {claim.direction} against `{claim.against}` {size}"


def last_found(claim: Claim, slug: str, attempts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The last attempt's word on just this claim; a claim that has changed since was not tested."""
    key = (claim.task, claim.row or slug, claim.metric, claim.direction, claim.against, claim.smallest)
    last = attempts[-1]["claims"] if attempts else []
    return next((one for one in last if tuple(one[name] for name in ABOUT) == key), None)


def tried(attempts: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| Date | Seeds | Trials | Row | Claim | Difference [95%] | Verdict | Code |", "| --- " * 8 + "|"]
    for attempt in attempts:
        for claim in attempt["claims"]:
            what = f"{claim['metric']} {claim['direction']} against `{claim['against']}` by {claim['smallest']:g}"
            cells = (attempt["date"], attempt["seeds"], attempt["trials"], f"`{claim['row']}`", what, figures(claim),
                     claim["verdict"], attempt["source"])  # fmt: skip
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


# The map of the house


def house() -> str:
    """One line a room, from the top down; a room imports only what stands below it."""
    lines = ["| Room | What is in it |", "| --- | --- |"]
    for room in dict.fromkeys(name.partition("/")[0] for level in layers() for name in level):
        path = ROOT / "src/operant" / room
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if file.is_file():
            first = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").split("\n")[0]
            lines.append(f"| `{path.name if path.is_dir() else file.name}` | {first} |")
    return "\n".join(lines)


def layers() -> tuple[tuple[str, ...], ...]:
    """LAYERS of tests/test_layers.py, the one statement of the layout, from the top down."""
    tree = ast.parse((ROOT / "tests/test_layers.py").read_text("utf-8"))
    named = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    return ast.literal_eval(next(node.value for node in named if node.targets[0].id == "LAYERS"))


# Figures that come from runs


def demo(report: Mapping[str, Any]) -> str:
    """The command, what it printed, and what it took."""
    from rich.console import Console

    from operant.compare.report import terminal

    console = Console(width=100, file=io.StringIO(), color_system=None)
    console.print(terminal(dict(report)))
    shown = "\n".join(line.rstrip() for line in console.file.getvalue().rstrip().split("\n"))
    seconds = sum(one["cpu_s"] for seeds in report["measured"].values() for one in seeds.values())
    made = report["environment"]
    versions = f"operant {made['operant']}, torch {made['torch']}, Python {made['python']}"
    return (
        f"```text\n$ {report['command']}\n\n{shown}\n```\n\n"
        f"{versions}; {seconds / 60:.0f} minutes of one core for all cells together."
    )


def base_table() -> str:
    """What the base of `reviews` can do, and what the best of 16 answers would be, metric by metric."""
    import torch

    from operant.domains.text.tasks.reviews import Reviews
    from operant.schema import Decoding

    torch.set_num_threads(1)
    task = Reviews(seed=0).resized(pairs=None, test_prompts=200)
    prompts = task.prompts("test")
    drawn = task.base().answer(prompts, n=16, decoding=Decoding(), seed=0)
    found = [task.gold([prompt] * 16, many) for prompt, many in zip(prompts, drawn, strict=True)]
    lines = ["| Metric | Good is | Mean of the base | Best of 16 by this metric |", "| --- | --- | --- | --- |"]
    for metric in task.metrics:
        values = [[float(score.value or 0) for score in one[metric.name]] for one in found]
        mean = sum(map(sum, values)) / (16 * len(values))
        best = sum(map(max if metric.direction == "up" else min, values)) / len(values)
        lines.append(f"| {metric.name} | {metric.direction} | {mean:.2f} | {best:.2f} |")
    lines += ["", "200 test prompts, 16 answers each, temperature 1, at most 24 tokens, seed 0.", ""]
    lines += [f"- {key}: {value}" for key, value in task.summary().items() if isinstance(value, str) and "%" in value]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
