"""`operant methods`: the catalogue, from source files and evidence alone."""

from __future__ import annotations

import dataclasses
import json

import typer

from operant.card import Card
from operant.errors import OperantError
from operant.evidence import read_evidence
from operant.methods import card, slugs


def row(about: Card) -> dict[str, str]:
    try:
        evidence = read_evidence(about.slug)
    except OperantError:
        evidence = None
    return {"slug": about.slug, "family": about.family, "kind": about.kind, "evidence": _verdict(about, evidence)}


def _verdict(about: Card, evidence: dict | None) -> str:
    if not about.claims:
        return "no claims"
    return evidence["verdict"] if evidence else "not tested"


def show_all(*, as_json: bool) -> None:
    rows = [row(card(slug)) for slug in slugs()]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    width = {key: max(len(one[key]) for one in rows) for key in rows[0]}
    for one in rows:
        typer.echo("  ".join(one[key].ljust(width[key]) for key in one).rstrip())


def show_one(slug: str, *, as_json: bool) -> None:
    about, evidence = card(slug), read_evidence(slug)
    if as_json:
        typer.echo(json.dumps({**row(about), "card": dataclasses.asdict(about), "attempts": evidence}, indent=1))
        return
    typer.echo(f"{about.slug} ({about.family}, {about.kind})\n{about.title}\n{about.paper}".rstrip())
    for title, items in (("stands beside", about.baselines), ("needs", about.needs), ("differs", about.differs)):
        for item in items:
            typer.echo(f"{title}: {item}")
    for claim in evidence["attempts"][-1]["claims"] if evidence else ():
        typer.echo(f"claim: {claim['row']} {claim['metric']} {claim['direction']} against {claim['against']} by "
                   f"{claim['smallest']}: {claim['verdict']}, {_figures(claim)}")  # fmt: skip
    if not evidence:
        for claim in about.claims:
            typer.echo(
                f"claim: {claim.metric} {claim.direction} against {claim.against} by {claim.smallest}: not tested"
            )


def _figures(claim: dict) -> str:
    if claim["difference"] is None:
        return "no figures"
    return f"{claim['difference']:+.3f} [{claim['low']:+.3f}, {claim['high']:+.3f}]"
