"""Words of certainty before an answer: planted usage is found in either direction, settings change what is asked."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from operant.compare.bench import View, Workbench
from operant.compare.budget import Ceiling
from operant.domains.text.tasks.forum import Forum, Knobs
from operant.errors import BadValue, NotApplicable, UnknownName
from operant.methods.probe.epistemic_markers import Config, run, tried
from operant.prompting.markers import ANALYSED, STRONG, WEAK
from operant.schema import Answer, Decoding

ROOT = os.environ.get("OPERANT_TEST_DATA")
FEW = ("I think it's", "Maybe it's", "Perhaps it's", "We know it's", "It must be", "Undoubtedly it's")


class Imitator:
    """A model that has read hedges which were right at `hedged`, and certain words at `certain`; no network.

    It goes by the last words of the prompt. Questions differ in how hard they are, markers in what they are worth.
    """

    def __init__(self, *, hedged, certain, seed=0, logps=True):
        self.rates, self.seed, self.gives = (hedged, certain), seed, logps
        self.strong = {one.text for one in STRONG}
        rng = np.random.default_rng(seed)
        self.worth = {one.text: rng.normal(0, 0.02) for one in ANALYSED}

    def chance(self, prompt, target):
        said = next((one.text for one in reversed(ANALYSED) if one.text and prompt.content.endswith(one.text)), "")
        rate = sum(self.rates) / 2 if not said else self.rates[said in self.strong]
        hard = np.random.default_rng(int(prompt.id[:8], 16)).uniform(-0.1, 0.1)
        return float(np.clip(rate + hard + self.worth[said], 0.01, 0.99))

    def logps(self, prompts, answers):
        if not self.gives:
            return None
        found = []
        for prompt, answer in zip(prompts, answers, strict=True):
            right = self.chance(prompt, "") if str(answer.value).strip() in prompt.columns["targets"] else None
            found.append((np.log(right if right is not None else 0.01),))
        return found

    def answer(self, prompts, *, n, decoding, seed):
        rng = np.random.default_rng(seed)
        assert isinstance(decoding, Decoding)
        return [
            [Answer(value=prompt.columns["targets"][0] if rng.random() < self.chance(prompt, "") else "none")
             for _ in range(n)]
            for prompt in prompts
        ]  # fmt: skip


def bench(tmp_path, model, *, pairs=120, flops=0.0, seed=0):
    task = View(Forum(seed=seed, knobs=Knobs(pairs=pairs, valid_pairs=20, test_prompts=9, test_pairs=8)))
    return Workbench(
        base=model, task=task, budget=Ceiling(flops, 1e9), seed=seed, dir=tmp_path, max_length=256,
        decoding=Decoding(max_tokens=6), resolve=None, own=None,
    )  # fmt: skip


def found_in(products):
    return {one.key: one for one in products.findings}


@pytest.mark.parametrize("hedged, certain", [(0.8, 0.6), (0.6, 0.8)])
def test_a_planted_usage_is_found_with_its_sign_in_five_seeds(hedged, certain, tmp_path):
    for seed in range(5):
        model = Imitator(hedged=hedged, certain=certain, seed=seed)
        one = found_in(run(Config(), bench(tmp_path, model, seed=seed)))["strength"]
        assert one.effect == pytest.approx(certain - hedged, abs=0.04) and one.p < 0.001
        assert abs(one.effect) >= 0.1 and one.low < one.effect < one.high
        assert one.power > 0.9 and one.false_alarms < 0.1  # of tables with .05 planted, and with nothing


def test_without_a_usage_there_is_none_within_two_points(tmp_path):
    effects = []
    for seed in range(5):
        found = found_in(run(Config(), bench(tmp_path, Imitator(hedged=0.7, certain=0.7, seed=seed), seed=seed)))
        effects.append(found["strength"].effect)
    assert max(map(abs, effects)) <= 0.02


def test_what_is_reported(tmp_path):
    found = found_in(run(Config(), bench(tmp_path, Imitator(hedged=0.8, certain=0.6))))
    for key in ("strength", "factive", "evidential", "source", "pronoun", "shield"):
        assert found[key].power is not None and "by Holm over 6 properties" in found[key].name
    assert found["mean weakeners"].effect == pytest.approx(0.8, abs=0.03)
    assert found["mean no marker"].effect == pytest.approx(0.7, abs=0.03)
    assert found["strengtheners against none"].effect == pytest.approx(0.6 - 0.7, abs=0.03)
    assert {"strength mass", "strength entropy", "range", "strength beside perplexity"} <= set(found)
    assert "strength in category" in found
    assert all(one.low <= one.effect <= one.high for one in found.values())
    assert all(" questions" in one.name for one in found.values())


def test_factive_words_are_strengtheners_and_share_their_effect(tmp_path):
    found = found_in(run(Config(), bench(tmp_path, Imitator(hedged=0.8, certain=0.6))))
    # all 11 factive ones are strong; of the other 38, 7 are: .6 - (31 * .8 + 7 * .6) / 38
    assert found["factive"].effect == pytest.approx(0.6 - (31 * 0.8 + 7 * 0.6) / 38, abs=0.04)


def test_without_log_probabilities_answers_are_drawn(tmp_path):
    model = Imitator(hedged=0.9, certain=0.5, logps=False)
    with pytest.raises(NotApplicable, match="draw answers instead"):
        run(Config(), bench(tmp_path, model, pairs=30))
    found = found_in(run(Config(score="samples", markers=FEW), bench(tmp_path, model, pairs=30)))
    assert found["strength"].effect == pytest.approx(-0.4, abs=0.1)
    assert "strength mass" not in found and "strength beside perplexity" not in found


def test_settings_change_what_is_asked(tmp_path):
    assert len(tried(Config())) == 51 and len(tried(Config(markers=FEW))) == len(FEW) + 1
    seen = []

    class Watched(Imitator):
        def logps(self, prompts, answers):
            seen.extend(prompts)
            return super().logps(prompts, answers)

    run(Config(markers=FEW, questions=5, before="a forum"), bench(tmp_path, Watched(hedged=0.7, certain=0.7)))
    assert all(one.content.startswith("a forum\nInstruction:") for one in seen)
    asked = {one.id for one in seen}
    assert len(asked) == 8  # five questions, and eight behind which the markers' own surprise is taken


def test_mistakes_are_refused():
    with pytest.raises(UnknownName, match='did you mean "Maybe it\'s"'):
        Config(markers=("Maybe its",))
    with pytest.raises(BadValue, match="set, where examples are taught"):
        Config(study="teach", score="samples")
    with pytest.raises(BadValue, match="questions"):
        Config(questions=1)


def test_prompts_without_answers_are_not_applicable(tmp_path):
    class Bare:
        name, attributes, canned, bodies = "bare", (), (), ()

        def prompts(self, split):
            return []

        def pairs(self, split, *, attribute=None):
            raise NotApplicable("none")

    one = bench(tmp_path, Imitator(hedged=0.7, certain=0.7))
    one.task = Bare()
    with pytest.raises(NotApplicable, match="column `targets`"):
        run(Config(), one)


def test_the_kinds_are_the_papers():
    assert {one.strength for one in ANALYSED} == {"strengthener", "weakener", "none"}
    assert len(WEAK) + len(STRONG) == 49


# Real rows, through our own server


@pytest.mark.skipif(ROOT is None, reason="OPERANT_TEST_DATA is unset: no real data to read")
def test_truthfulqa_through_an_endpoint(tmp_path):
    import json

    from operant.domains.text.tasks.from_file import FromFile
    from operant.engine.policy import LanguageModel
    from operant.models.small import small_llama
    from operant.serve.command import load_app
    from serve.running import on_a_socket

    lines_of = (Path(ROOT or "") / "truthfulqa/truthfulqa.jsonl").read_text("utf-8").split("\n")
    rows = [json.loads(line) for line in lines_of if line]
    data = tmp_path / "truthful.jsonl"
    with data.open("w", encoding="utf-8") as lines:
        for row in rows[:60]:
            pair = {"chosen": f" {row['Best Answer']}", "rejected": f" {row['Incorrect Answers'].split('; ')[0]}"}
            lines.write(json.dumps({"prompt": f"Q: {row['Question']}\nA:", **pair}) + "\n")
    words = sorted({word for line in data.read_text("utf-8").split("\n") if line for field in json.loads(line).values()
                    for word in field.split()})  # fmt: skip
    LanguageModel(*small_llama(words, hidden=16, layers=1)).save(tmp_path / "model")
    with on_a_socket(load_app(tmp_path / "model", None)) as url:
        task = FromFile(model=f"endpoint:model@{url}/v1", data=str(data), columns={}, limit=None, on_bad_row="skip",
                        test_prompts=4)  # fmt: skip
        one = bench(tmp_path, task.base(None))
        one.task = View(task)
        found = found_in(run(Config(markers=FEW, questions=4), one))
    # random weights: no usage was ever learnt. Whole sentences are never likely, but one is likelier than the other.
    share = found["strength"]
    assert abs(share.effect) < 0.05 and share.low <= 0 <= share.high
    assert "right answer's share of the answer set" in share.name and "4 questions" in share.name
    assert 0 < found["mean weakeners"].effect < 1
