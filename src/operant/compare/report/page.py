"""report.html: one file that loads nothing, runs nothing but our own few lines, and shows hostile answers as text."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from operant.compare.report import digits, filters
from operant.compare.report.context import context
from operant.compare.report.escape import visible
from operant.compare.report.view import Json


class Section(NamedTuple):
    """A part of the page; `id` is also the name of its template and of the flag that says whether it has content."""

    id: str
    title: str
    short: str


SECTIONS = (
    Section("result", "Result", "Result"),
    Section("gaming", "Is the reward being gamed?", "Proxy and gold"),
    Section("price", "What gold costs", "Gold and cost"),
    Section("seeds", "The seeds behind every mean", "Seeds"),
    Section("comparisons", "Comparisons", "Comparisons"),
    Section("findings", "Findings", "Findings"),
    Section("scorers", "Scorers", "Scorers"),
    Section("best_of_n", "Best of n", "Best of n"),
    Section("worse", "Answers that got worse than base", "Got worse"),
    Section("reader", "Side by side", "Side by side"),
    Section("slices", "Slices", "Slices"),
    Section("metrics", "Every metric", "Metrics"),
    Section("settings", "Chosen settings", "Settings"),
    Section("costs", "Costs in full", "Costs"),
    Section("data", "Data", "Data"),
    Section("control", "A/A control", "A/A control"),
    Section("repeat", "How to repeat this", "Repeat"),
)


def html(report: Json) -> str:
    """The whole page. The same report gives the same bytes."""
    environment = _environment()
    script = _source(environment, "reader.js")
    content = context(report)
    environment.filters.update(filters.of_report(content["lines"], subject=report["task"].get("subject", "text")))
    shown = [section for section in SECTIONS if content["has"][section.id]]
    return environment.get_template("page.html.j2").render(
        content, sections=shown, style=_source(environment, "style.css"), script=script, policy=_policy(script)
    )


def _environment() -> Environment:
    """Our templates. Every value that is printed becomes visible text first, then is escaped."""
    environment = Environment(
        loader=PackageLoader("operant.compare.report"), autoescape=True, undefined=StrictUndefined, finalize=_printed
    )
    environment.filters.update(filters.FILTERS)
    return environment


def _printed(value: Any) -> Any:
    if isinstance(value, Markup):  # ours: a macro's output or a figure
        return value
    return digits.NOTHING if value is None else visible(str(value))


def _source(environment: Environment, name: str) -> Markup:
    assert environment.loader
    return Markup(environment.loader.get_source(environment, name)[0])


def _policy(script: str) -> str:
    """A content policy that lets exactly this script run and nothing be fetched."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
