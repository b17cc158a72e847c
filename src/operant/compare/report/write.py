"""Writes the files of a report."""

from __future__ import annotations

from pathlib import Path

from operant.compare.report.markdown import markdown
from operant.compare.report.page import html
from operant.compare.report.view import Json
from operant.disk import write_text


def render(report: Json, directory: Path) -> None:
    """Write report.html and report.md into `directory`, each whole or not at all. The same report, the same bytes."""
    page, text = html(report), markdown(report)
    write_text(directory / "report.html", page)
    write_text(directory / "report.md", text)
