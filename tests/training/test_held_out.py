"""Pairs kept back: no prompt on both sides, nothing lost, the same for the same seed."""

from __future__ import annotations

import pytest

from operant.errors import BadValue, OperantError
from operant.schema import Answer, Pair, Prompt
from operant.training.held_out import held_out

# 20 prompts with two pairs each
PAIRS = [
    Pair(prompt=Prompt(id=f"{place % 20}", content=""), chosen=Answer(value=f"{place}"), rejected=Answer(value="x"))
    for place in range(40)
]


def test_a_share_of_the_prompts_with_all_their_pairs():
    kept, held = held_out(PAIRS, share=0.1, seed=0)
    assert len(held) == 2 * 2 and len(kept) == 36
    assert not {pair.prompt.id for pair in kept} & {pair.prompt.id for pair in held}
    assert sorted(kept + held, key=lambda pair: int(pair.chosen.value)) == PAIRS


def test_the_seed_decides_and_nothing_else():
    assert (
        held_out(PAIRS, share=0.3, seed=0) == held_out(PAIRS, share=0.3, seed=0) != held_out(PAIRS, share=0.3, seed=1)
    )
    assert {pair.prompt.id for pair in held_out(PAIRS, share=0.3, seed=0).held} == {
        pair.prompt.id for pair in held_out(PAIRS[::-1], share=0.3, seed=0).held
    }


def test_both_parts_have_at_least_one_prompt():
    assert len(held_out(PAIRS, share=0.001, seed=0).held) == 2
    assert len(held_out(PAIRS, share=0.999, seed=0).kept) == 2
    with pytest.raises(OperantError, match="takes at least 2"):
        held_out(PAIRS[:1], share=0.5, seed=0)
    with pytest.raises(BadValue, match="between 0 and 1"):
        held_out(PAIRS, share=0.0, seed=0)
