"""What rounds showed: the first and the last of them, with intervals."""

from __future__ import annotations

from operant.loops.told import quarters

TOLD = {"success": "share of right answers", "steps": "steps an answer", "absent": "nothing"}


def test_how_answers_changed_is_told():
    rounds = [{"parts": {"success": place / 8, "steps": 2.0}} for place in range(8)]
    found = {one.name: one for one in quarters(rounds, TOLD)}
    # quarters are two rounds: 0 and 1/8, then 6/8 and 7/8
    assert found["share of right answers, first quarter of rounds"].effect == 0.5 / 8
    assert found["share of right answers, last quarter of rounds"].effect == 6.5 / 8
    assert found["steps an answer, last quarter of rounds"].effect == 2.0
    assert quarters([], TOLD) == []
    assert not any("nothing" in name for name in found)
