"""Shapley values of parts of a prompt: planted effects come out as they were planted, and settings change the game."""

from __future__ import annotations

import gzip
import json
import os
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import pytest

from operant.compare.bench import View, Workbench
from operant.compare.budget import Ceiling
from operant.domains.text.tasks.from_file import FromFile
from operant.domains.text.tasks.instructions import Instructions, Knobs
from operant.errors import BadValue, NotApplicable, UnknownName
from operant.methods.probe.prompt_shapley import EIGHT, Config, run
from operant.models.small import small_llama
from operant.prompting.stimuli import EMOTIONAL
from operant.schema import Answer, Decoding

ROOT = os.environ.get("OPERANT_TEST_DATA")
TEXTS = {name: EMOTIONAL.text(name) for name in EIGHT}


class Chooser:
    """Right at .4; +.2 with EP02, +.2 with EP04 and EP05 together; the other five sentences do nothing."""

    def __init__(self, *, logps=True):
        self.gives, self.asked = logps, []

    def chance(self, prompt):
        self.asked.append(prompt.content)
        there = {name for name, text in TEXTS.items() if text in prompt.content}
        return 0.4 + 0.2 * ("EP02" in there) + 0.2 * ({"EP04", "EP05"} <= there)

    def logps(self, prompts, answers):
        if not self.gives:
            return None
        right = [str(one.value).strip() in p.columns["targets"] for p, one in zip(prompts, answers, strict=True)]
        return [(np.log(self.chance(p) if ok else 0.1),) for p, ok in zip(prompts, right, strict=True)]

    def answer(self, prompts, *, n, decoding, seed):
        drawn = []
        for prompt in prompts:
            rng, chance = Random(f"{seed}/{prompt.id}"), self.chance(prompt)
            right = (rng.random() < chance for _ in range(n))
            drawn.append([Answer(value=prompt.columns["targets"][0] if one else "none") for one in right])
        return drawn


def bench(tmp_path, model, *, task=None, seed=0):
    task = task or Instructions(seed=seed, knobs=Knobs(pairs=20, valid_pairs=4, test_prompts=8, test_pairs=4))
    return Workbench(
        base=model, task=View(task), budget=Ceiling(0.0, 1e9), seed=seed, dir=tmp_path, max_length=256,
        decoding=Decoding(max_tokens=6), resolve=None, own=None,
    )  # fmt: skip


def found_in(tmp_path, model=None, *, seed=0, task=None, **settings):
    products = run(Config(**{"prompts": 4, **settings}), bench(tmp_path, model or Chooser(), seed=seed, task=task))
    return {one.key: one for one in products.findings}


INERT = ("EP03", "EP07", "EP08", "EP09", "EP10")


def test_planted_effects_are_found_and_a_pair_shares_its_own(tmp_path):
    found = found_in(tmp_path)
    assert found["EP02"].effect == pytest.approx(0.2)
    assert [found[name].effect for name in ("EP04", "EP05")] == pytest.approx([0.2 / 2] * 2)
    assert all(abs(found[name].effect) <= 0.02 for name in INERT)
    assert found["all parts"].effect == pytest.approx(0.2 + 0.2)
    # without one of a pair its whole .2 is gone, so that it is counted twice
    assert found["left out alone"].effect == pytest.approx(0.2 + 2 * 0.2)
    assert "background drop, exact over 4 prompts" in found["EP02"].name


def test_orders_come_near_in_nine_of_ten_seeds(tmp_path):
    near = 0
    for seed in range(10):
        found = found_in(tmp_path, seed=seed, estimator="permutations", prompts=2)
        gaps = [found["EP02"].effect - 0.2, found["EP04"].effect - 0.1, found["EP05"].effect - 0.1]
        near += max(map(abs, gaps)) <= 0.02 and all(abs(found[name].effect) <= 0.02 for name in INERT)
    assert near >= 9


def test_without_log_probabilities_answers_are_drawn_and_their_noise_is_told(tmp_path):
    found = found_in(tmp_path, Chooser(logps=False), phrases=("EP02", "EP03"), prompts=30)
    # four texts a prompt, 20 answers each: a part's standard error is about (.24 / 20)^.5 / 24^.5 = .022
    assert found["EP02"].effect == pytest.approx(0.2, abs=0.08) and found["EP03"].effect == pytest.approx(0, abs=0.08)
    assert "values are shares of 20 answers" in found["EP02"].name
    assert "one prompt's values to a standard error of 0.1" in found["EP02"].name


def test_each_text_is_asked_once(tmp_path):
    model = Chooser()
    found_in(tmp_path, model, prompts=2, estimator="exact")
    tried = 2 * 2  # the price of a text is taken from the first and the last text of two prompts
    assert len(model.asked) == 2 * 2**8 + tried and len(set(model.asked)) == 2 * 2**8


def test_in_log_odds_the_same_parts_add_up_to_another_sum(tmp_path):
    found = found_in(tmp_path, scale="logit")
    assert found["all parts"].effect == pytest.approx(np.log(0.8 / 0.2) - np.log(0.4 / 0.6), abs=1e-6)
    assert found["EP02"].unit == "logit"


def test_groups_share_among_themselves_first(tmp_path):
    found = found_in(tmp_path, estimator="owen", groups="EP04+EP05|EP02+EP03")
    assert [found[name].effect for name in ("EP02", "EP04", "EP05")] == pytest.approx([0.2, 0.1, 0.1])
    with pytest.raises(UnknownName, match="part in groups"):
        found_in(tmp_path, estimator="owen", groups="EP02+EP99")


@pytest.mark.parametrize("settings, text", [
    ({"background": "neutral", "neutral": "Please."}, "Please. Please."), ({"background": "mask"}, "_ _"),
    ({"background": "resample"}, f"{TEXTS['EP03']} {TEXTS['EP03']}"),
])  # fmt: skip
def test_backgrounds_stand_where_parts_were(tmp_path, settings, text):
    model = Chooser()
    found = found_in(tmp_path, model, phrases=("EP02", "EP03"), prompts=2, **settings)
    assert any(text in one for one in model.asked)
    assert f"background {settings['background']}" in found["EP02"].name


def test_words_lines_and_columns_are_parts_too(tmp_path):
    words = found_in(tmp_path, unit="words", prompts=3, permutations=2)
    assert "token noise" in words  # function words are declared beforehand
    lines = found_in(tmp_path, unit="lines", prompts=3)
    assert "Answer: " in lines  # the line that all prompts have; of one prompt alone nothing is said
    columns = found_in(tmp_path, unit="columns", prompts=3)
    assert {"instruction", "input"} <= set(columns)
    written = found_in(tmp_path, unit="columns", template="{{ input }} {{ task }}", low=("task",), prompts=3)
    assert {"input", "task", "token noise"} <= set(written)


def test_other_backgrounds_and_places_are_compared(tmp_path):
    found = found_in(tmp_path, sensitivity=True)
    told = {name for name in found if name.startswith("rank correlation")}
    assert told == {f"rank correlation {one}" for one in (
        "background neutral", "background mask", "phrases at the start", "phrases at the end"
    )}  # fmt: skip
    assert all(found[name].effect > 0.5 for name in told)  # the sentences work wherever they stand


def test_an_answer_that_the_model_never_gives_is_told(tmp_path):
    class Mute(Chooser):
        def chance(self, prompt):
            return 1e-6 * (1 + len(prompt.content))

    found = found_in(tmp_path, Mute(), phrases=("EP02",))
    assert "4 of 4 prompts never have their answer" in found["EP02"].name


def test_mistakes_are_refused(tmp_path):
    for wrong in ({"prompts": 1}, {"permutations": 1}, {"phrases": ()}, {"phrases": ("EP02", "EP02")},
                  {"template": "{{ x }}"}, {"groups": "a+b"}):  # fmt: skip
        with pytest.raises(BadValue, match=next(iter(wrong))):
            Config(**wrong)
    with pytest.raises(NotApplicable, match="two are needed"):
        found_in(tmp_path, unit="columns", template="{{ none such }}")


# Real rows, through our own server


@pytest.mark.skipif(ROOT is None, reason="OPERANT_TEST_DATA is unset: no real data to read")
def test_instruction_induction_through_an_endpoint(tmp_path):
    from operant.engine.policy import LanguageModel
    from operant.serve.command import load_app
    from serve.running import on_a_socket

    data, asked = tmp_path / "induction.jsonl", "Write the word in the plural form."
    with gzip.open(Path(ROOT or "") / "instruction_induction/examples.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["task"] == "singular_to_plural"]
    with data.open("w", encoding="utf-8") as out:
        for row in islice(rows, 100):
            prompt = f"Instruction: {asked}\n\nInput: {row['input']}\nAnswer:"
            out.write(json.dumps({"prompt": prompt, "targets": [row["output"]], "instruction": asked,
                                  "input": row["input"]}) + "\n")  # fmt: skip
    words = sorted({word for row in rows[:100] for word in (row["input"], row["output"], *asked.split(), "Input:")})
    LanguageModel(*small_llama(words, hidden=16, layers=1)).save(tmp_path / "model")
    with on_a_socket(load_app(tmp_path / "model", None)) as url:
        task = FromFile(model=f"endpoint:model@{url}/v1", data=str(data), columns={}, limit=None, on_bad_row="skip",
                        test_prompts=4)  # fmt: skip
        here = found_in(tmp_path, LanguageModel.load(tmp_path / "model"), task=task, phrases=("EP02", "EP04"))
        there = found_in(tmp_path, task.base(None), task=task, phrases=("EP02", "EP04"))
    # the same model on either side of the network has the same values
    assert [there[name].effect for name in ("EP02", "EP04")] == pytest.approx(
        [here[name].effect for name in ("EP02", "EP04")], abs=1e-5
    )
