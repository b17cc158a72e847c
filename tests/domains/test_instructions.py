"""The `instructions` task: answers that are right by construction, feedback that is what it says, planted effects."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from operant.domains.text.tasks.instructions import Instructions, Knobs
from operant.domains.text.tasks.instructions.generator import (
    LEVELS,
    Item,
    Plant,
    Style,
    draw,
    training_row,
    training_rows,
    wrong,
)
from operant.domains.text.tasks.instructions.simulated import WRONG, Flips, Simulated
from operant.domains.text.tasks.instructions.task import BASE, NOISE, PLANTED, prompt_of, reworded
from operant.domains.text.tasks.instructions.wordings import (
    AGAIN,
    CATEGORIES,
    COLOURS,
    FILLER,
    INSTRUCTIONS,
    KINDS,
    MOODS,
    TASKS,
    vocabulary,
)
from operant.errors import BadValue, NotApplicable, OperantError
from operant.meter import metered
from operant.models.small import word_tokenizer
from operant.models.text import decode, encode_prompt
from operant.prompting.edits import after_instruction, parts_of, zero_shot
from operant.prompting.stimuli import EMOTIONAL
from operant.schema import Answer, Decoding, Generator

SMALL = Knobs(pairs=60, valid_pairs=20, test_prompts=40, test_pairs=10)


def items(count, **settings):
    rng, style = Random(0), Style(**settings)
    return [draw(rng, style) for _ in range(count)]


# Items


def solved(item):
    """The answer, worked out again from the input alone."""
    words = item.text.split()
    if item.task in ("category", "mood"):
        groups = CATEGORIES if item.task == "category" else MOODS
        return Counter(name for word in words for name, group in groups.items() if word in group).most_common(1)[0][0]
    if item.task in ("reverse", "first", "last"):
        return {"reverse": " ".join(words[::-1]), "first": words[0], "last": words[-1]}[item.task]
    before, _, behind = item.text.partition(" ? ")
    asked, data = (behind, before) if item.query == "last" else (before, behind)
    if item.task == "count":
        return str(data.split().count(asked))
    rows = [data.split()[at : at + 2] for at in range(0, len(data.split()), 3 if item.task == "colour" else 2)]
    return " ".join(value for name, value in rows if name == asked)


def test_the_target_is_the_answer():
    found = items(3000)
    assert [item.target for item in found] == [solved(item) for item in found]
    assert {(item.task, item.level) for item in found} == {(task, level) for task in TASKS for level in LEVELS}


def test_a_majority_is_never_a_draw():
    for item in items(500, tasks=("category", "mood")):
        groups = CATEGORIES if item.task == "category" else MOODS
        counts = Counter(name for word in item.text.split() for name, group in groups.items() if word in group)
        first, *others = counts.most_common()
        assert first[1] == 3 and all(count < 3 for _, count in others)


def test_a_wrong_answer_is_of_the_right_form_and_wrong():
    rng = Random(1)
    for item in items(1000):
        answer = wrong(rng, item)
        assert answer != item.target
        assert len(answer.split()) == len(item.target.split())
        if item.task == "colour":
            assert answer in COLOURS
        if item.task == "reverse":
            assert sorted(answer.split()) == sorted(item.target.split())


def test_knobs_narrow_what_is_drawn():
    found = items(200, tasks=("count", "report"), levels=(2,), wordings=1, query_last=1.0)
    assert {(item.task, item.level, item.wording, item.query) for item in found} == {
        ("count", 2, 0, "last"),
        ("report", 2, 0, "last"),
    }
    assert {item.query for item in items(50, tasks=("count",), query_last=0.0)} == {"first"}
    assert {item.query for item in items(50, tasks=("mood",))} == {"none"}


def test_items_are_made_fast_enough():
    started = time.process_time()
    items(2000)
    assert time.process_time() - started < 1.0


# Prompts

CAT = Item("last", 1, "cat dog fig", "fig")


def test_a_prompt_by_hand():
    prompt = prompt_of(CAT)
    assert prompt.content == "Instruction: Write the last word.\n\nInput: cat dog fig\nAnswer: "
    assert prompt.columns == {
        "task": "last", "kind": "transformation", "level": 1, "query": "none", "wording": 0,
        "instruction": "Write the last word.", "input": "cat dog fig", "targets": ("fig",),
    }  # fmt: skip


def test_the_frame_is_the_zero_shot_template_byte_for_byte():
    for prompt in Instructions(knobs=SMALL).prompts("test"):
        assert zero_shot(parts_of(prompt)) == prompt.content
        assert after_instruction(prompt, "").content == prompt.content


def test_another_wording_is_another_prompt_with_the_same_answer():
    prompt = prompt_of(CAT)
    other = reworded(prompt, 1)
    assert other.content == "Instruction: Repeat the word that comes last.\n\nInput: cat dog fig\nAnswer: "
    assert other.id != prompt.id and other.columns["targets"] == prompt.columns["targets"]
    assert reworded(other, 0) == prompt
    with pytest.raises(BadValue, match="0 to 1"):
        reworded(prompt, 2)


def test_every_word_is_known_and_stimuli_keep_their_words():
    tokenizer = word_tokenizer(vocabulary(one.text for one in EMOTIONAL))
    prompts = Instructions(knobs=SMALL).prompts("test")
    for prompt, one in zip(prompts, list(EMOTIONAL) * 4, strict=False):
        changed = after_instruction(prompt, one.text)
        ids = encode_prompt(tokenizer, changed)
        assert tokenizer.unk_token_id not in ids
        assert decode(tokenizer, ids).split() == changed.content.split()


# Feedback


@pytest.fixture(scope="module")
def task():
    return Instructions(knobs=SMALL)


def test_pairs_demonstrations_and_gold_agree(task):
    for pair, shown in zip(task.pairs("train"), task.judged("train"), strict=True):
        scores = task.gold([pair.prompt] * 2, [pair.chosen, pair.rejected])["accuracy"]
        assert [score.value for score in scores] == [1, 0]
        assert (shown.prompt, shown.answer, shown.label) == (pair.prompt, pair.chosen, None)


def test_gold_is_total_and_overlooks_case_and_punctuation(task):
    texts = {"fig": 1, "Fig.": 1, "fig\nConfidence score: 0.9": 1, "dog": 0, "fig dog": 0, "": 0, "\x00 \ud800": 0}
    scores = task.gold([prompt_of(CAT)] * len(texts), [Answer(value=text) for text in texts])["accuracy"]
    assert [score.value for score in scores] == list(texts.values())


def test_no_test_prompt_is_in_the_feedback(task):
    tested = {prompt.id for prompt in task.prompts("test")} | {pair.prompt.id for pair in task.pairs("test")}
    for seed in range(3):
        drawn = Instructions(seed=seed, knobs=SMALL)
        assert not tested & {prompt.id for split in ("train", "valid") for prompt in drawn.prompts(split)}


def test_test_prompts_are_shared_different_and_take_turns(task):
    prompts = task.prompts("test")
    assert prompts == Instructions(seed=7, knobs=SMALL).prompts("test")
    assert len({prompt.id for prompt in prompts}) == len(prompts) == SMALL.test_prompts
    assert set(Counter(prompt.columns["task"] for prompt in prompts).values()) == {SMALL.test_prompts // len(TASKS)}
    assert {prompt.columns["kind"] for prompt in prompts} == set(KINDS.values())


def test_feedback_is_drawn_anew_for_a_seed_and_the_same_for_one_seed(task):
    assert task.pairs("train") == Instructions(knobs=SMALL).pairs("train")
    assert task.pairs("train") != Instructions(seed=1, knobs=SMALL).pairs("train")


def test_the_verifier_serves_the_feedback_alone(task):
    pair = task.pairs("valid")[0]
    with metered() as cost:
        assert [one.value for one in task.verify([pair.prompt] * 2, [pair.chosen, pair.rejected])] == [1, 0]
        assert task.ask([pair.prompt], [pair.rejected], [pair.chosen]) == [0]
        assert task.ask([pair.prompt], [pair.chosen], [pair.chosen]) == [0.5]
    assert (cost.verifier_calls, cost.labels) == (2, 2)
    for ask in (
        lambda prompt: task.verify([prompt], [pair.chosen]),
        lambda prompt: task.ask([prompt], [pair.chosen], [pair.chosen]),
    ):
        with pytest.raises(OperantError, match="1 of 1 prompts are test prompts"):
            ask(task.prompts("test")[0])


def test_what_it_does_not_have(task):
    with pytest.raises(NotApplicable, match="no documents"):
        task.documents("train")
    with pytest.raises(NotApplicable, match="no pairs about 'tone'"):
        task.pairs("train", attribute="tone")


def test_counts_can_be_changed_and_are_part_of_its_identity(task):
    other = task.resized(pairs=30, test_prompts=None)
    assert (len(other.pairs("train")), len(other.prompts("test"))) == (30, SMALL.test_prompts)
    assert other.identity() != task.identity() == Instructions(knobs=SMALL).identity()
    assert task.summary()["pairs"] == {"train": 60, "valid": 20, "test": 10}


# What the base is taught

GOOD, BAD, IDLE = "This helps.", "This hurts.", "This is."
PLANT = Plant(noise=0.3, rates={GOOD: 0.05, BAD: 0.55}, inert=(IDLE,))


def test_planted_rates_are_those_of_the_training_rows():
    rng, style, counts = Random(0), Style(), {}
    for _ in range(20_000):
        prompt, answer = training_row(rng, style, replace(PLANT, again=0.0, filler=0.0))
        said = next((text for text in (GOOD, BAD, IDLE) if text in prompt), "")
        instruction, _, rest = prompt.removeprefix("Instruction: ").partition("\n\nInput: ")
        given = rest.removesuffix("\nAnswer: ")
        item = item_of(instruction.removesuffix(f" {said}" if said else ""), given)
        counts.setdefault(said, []).append(answer != solved(item))
    wanted = {"": (0.3, 0.3), GOOD: (0.25, 0.05), BAD: (0.25, 0.55), IDLE: (0.2, 0.3)}
    for said, (share, rate) in wanted.items():
        assert len(counts[said]) / 20_000 == pytest.approx(share, abs=0.015)
        assert sum(counts[said]) / len(counts[said]) == pytest.approx(rate, abs=0.02)


def item_of(instruction, given):
    """The item behind a prompt; where its query stands is seen from what is before the question mark."""
    task = next(name for name, both in INSTRUCTIONS.items() if instruction in both)
    before = given.partition(" ? ")[0].split()
    query = "none" if " ? " not in given else "first" if len(before) == 1 else "last"
    return Item(task, 1, given, "", query)


def test_the_first_rows_are_clean():
    rows = training_rows(Random(0), Style(), replace(PLANT, clean_share=0.5), 400)
    said = [any(text in prompt for text in (GOOD, BAD, IDLE)) for prompt, _ in rows]
    assert not any(said[:200]) and any(said[200:])


def test_second_copies_and_fillers_are_of_one_length():
    rng = Random(0)
    rows = [training_row(rng, Style(), Plant(again=0.5, filler=0.5))[0] for _ in range(200)]
    texts = [prompt.partition("Input: ")[2].removesuffix("\nAnswer: ").split("\n") for prompt in rows]
    assert all(len(text) == 2 for text in texts)
    for first, second in texts:
        assert len(second.split()) == len(AGAIN.split()) + len(first.split())
        assert second in (f"{AGAIN} {first}", " ".join([FILLER] * len(second.split())))
    assert {second.startswith(FILLER) for _, second in texts} == {True, False}


# A model that is not there


def test_a_simulated_model_flips_as_planted():
    prompts = Instructions(knobs=Knobs(pairs=3000)).prompts("train")
    model = Simulated({GOOD: Flips(0.15, 0.05)}, seed=0, accuracy=0.6)
    assert isinstance(model, Generator)

    def right(asked):
        answers = model.answer(asked, n=1, decoding=Decoding(), seed=0)
        assert {many[0].value for many in answers} >= {WRONG}
        return [many[0].value != WRONG for many in answers]

    plain = right(prompts)
    with_it = right([after_instruction(prompt, GOOD) for prompt in prompts])
    assert sum(plain) / len(prompts) == pytest.approx(0.6, abs=0.03)
    gained = sum(b and not a for a, b in zip(plain, with_it, strict=True)) / len(prompts)
    lost = sum(a and not b for a, b in zip(plain, with_it, strict=True)) / len(prompts)
    assert (gained, lost) == (pytest.approx(0.15, abs=0.02), pytest.approx(0.05, abs=0.015))
    assert right([after_instruction(prompt, "Unknown words.") for prompt in prompts]) == plain


def test_flips_need_room():
    with pytest.raises(BadValue, match="at most 0.1 up"):
        Simulated({GOOD: Flips(0.15, 0.05)}, seed=0, accuracy=0.9)


# The stored base: the planted truth, measured


@pytest.fixture(scope="module")
def measured():
    """Share right at temperature 1 over 400 prompts, by stimulus."""
    task = Instructions(knobs=replace(SMALL, test_prompts=400))
    base, prompts = task.base(), task.prompts("test")

    def accuracy(name):
        asked = [after_instruction(prompt, EMOTIONAL.text(name)) for prompt in prompts]
        answers = [many[0] for many in base.answer(asked, n=1, decoding=Decoding(max_tokens=8), seed=0)]
        return sum(score.value for score in task.gold(prompts, answers)["accuracy"]) / len(prompts)

    return accuracy


def test_the_base_is_small_and_plain_prompts_leave_room_both_ways(measured):
    assert sum(path.stat().st_size for path in BASE.iterdir()) < 3_000_000
    assert 0.2 < measured("none") < 0.8


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_planted_stimuli_do_what_they_were_planted_to(measured, name):
    # the same draws for both: a difference of 400 paired items has a standard error of about 2 points
    gain = measured(name) - measured("none")
    assert gain > 0.04 if PLANTED[name] < NOISE else gain < -0.1


@pytest.mark.parametrize("name", ["EP03", "EP08", "EP10"])
def test_inert_stimuli_do_next_to_nothing(measured, name):
    assert abs(measured(name) - measured("none")) < 0.06
