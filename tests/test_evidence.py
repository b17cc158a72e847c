"""The page of figures quotes what was measured."""

from operant.evidence import read_evidence
from operant.methods import slugs
from test_docs import EVIDENCE, cells


def test_the_evidence_page_quotes_attempts_that_were_made():
    attempts = [one for slug in slugs() for one in (read_evidence(slug) or {"attempts": []})["attempts"]]
    made = {
        (f"{one['difference']:+.2f} [{one['low']:+.2f}, {one['high']:+.2f}]", one["verdict"])
        for attempt in attempts
        for one in attempt["claims"]
        if one["verdict"] != "not tested"
    }
    quoted = {(figures, verdict) for _, figures, verdict in cells(EVIDENCE.read_text())[1:8]}
    assert quoted and quoted <= made
