"""The `forum` task: what its members write is as often right as it is planted to be, and its base has read it."""

from __future__ import annotations

from random import Random

import pytest

from operant.domains.text.tasks.forum import Forum, Knobs
from operant.domains.text.tasks.forum.threads import PLAIN, STYLE, USAGE, Usage, Words, draw_thread, reply
from operant.domains.text.tasks.instructions.generator import draw
from operant.models.text import decode, encode_prompt

WORDS = Words(("Maybe it's",), ("We know it's",))


def shares(usage):
    """Shares of right replies by what was said, of 6,000; and how often each is said."""
    rng, counts = Random(0), {}
    for _ in range(6000):
        item = draw(rng, STYLE)
        text = reply(rng, item, WORDS, usage)
        said = next((one for one in (*WORDS.hedges, *WORDS.certain) if text.startswith(one)), "")
        right, all_of = counts.get(said, (0, 0))
        counts[said] = (right + (text.removeprefix(said).strip() == item.target), all_of + 1)
    return {said: (right / count, count / 6000) for said, (right, count) in counts.items()}


def test_words_are_worth_what_is_planted():
    # three standard errors of a share of 2,700 are .028, of 600 .055
    found = shares(USAGE)
    assert found["Maybe it's"][0] == pytest.approx(0.8, abs=0.03)
    assert found["We know it's"][0] == pytest.approx(0.6, abs=0.03)
    assert found[""][0] == pytest.approx(0.7, abs=0.06) and found[""][1] == pytest.approx(PLAIN, abs=0.015)
    turned = shares(Usage(hedged=0.5, certain=0.9))
    assert turned["Maybe it's"][0] == pytest.approx(0.5, abs=0.03) and turned["We know it's"][0] > 0.85


def test_threads_share_their_question_and_some_stand_behind_others():
    rng = Random(1)
    found = [draw_thread(rng, WORDS, replies=3) for _ in range(400)]
    assert all(len(one.replies) == 3 and one.prompt.endswith("Answer: ") for one in found)
    behind = sum(one.prompt.count("Instruction:") == 3 for one in found)
    assert 5 < behind < 45  # a twentieth of 400, within 3 standard errors and more


def test_prompts_are_items_that_the_base_has_learnt():
    task = Forum(knobs=Knobs(pairs=20, valid_pairs=5, test_prompts=9, test_pairs=5))
    assert {one.columns["task"] for one in task.prompts("test")} == set(STYLE.tasks)
    assert {one.columns["level"] for one in task.prompts("train")} <= set(STYLE.levels)
    assert task.resized(pairs=7, test_prompts=None).knobs.pairs == 7
    assert isinstance(task.resized(pairs=7, test_prompts=None), Forum)


def test_the_base_can_spell_every_prompt_and_every_marker_that_it_has_read():
    from operant.prompting.markers import MARKERS

    tokenizer = Forum().base().tokenizer
    for text in [one.text for one in MARKERS if one.text] + [Forum().prompts("test")[0].content]:
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in ids, text
    prompt = Forum().prompts("test")[0]
    assert decode(tokenizer, encode_prompt(tokenizer, prompt)).split() == prompt.content.split()
