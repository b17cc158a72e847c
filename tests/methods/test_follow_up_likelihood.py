"""Follow-up likelihood: fitting on what users wrote next, mining pairs, files and real dialogues.

OPERANT_TEST_DATA names the folder of the real rows.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

import tiny
from operant.compare.bench import View, Workbench
from operant.compare.budget import Ceiling
from operant.domains.text.tasks.from_file import FromFile
from operant.engine.policy import LanguageModel
from operant.errors import BadValue, NotApplicable
from operant.meter import metered
from operant.methods.reward.follow_up_likelihood import Config, bank_named, fitted, load, rank, run
from operant.models.small import small_llama
from operant.rewards.turns import Turns
from operant.schema import Decoding

ROOT = os.environ.get("OPERANT_TEST_DATA")
real = pytest.mark.skipif(ROOT is None, reason="OPERANT_TEST_DATA is unset: no real data to read")
SMALL = {"bank": "readers", "turn": " you say : ", "samples": 3, "max_tokens": 6, "scorer_rate": 3e-3}


def test_ranks_by_hand():
    assert rank([3.0, 1.0, 1.0]).tolist() == [2.0, 0.5, 0.5]


def test_settings_without_sense_cannot_be_written():
    for settings in ({"threshold": -1}, {"fitting": 1.0}, {"beta": 0.0}):
        with pytest.raises(BadValue):
            Config(**settings)


def test_a_fitted_scorer_has_learnt_what_readers_say(tiny_bench):
    bench = tiny_bench(epochs=12)
    plain, learnt = (run(Config(scorer=kind, pairs="none", **SMALL), bench) for kind in ("zero-shot", "feedback"))
    # of the tiny task readers say "that is good ." or "that is poor .", two of the bank's twenty sentences
    said = [(prompt, "the build is good .", "that is good .") for prompt in tiny.graded().prompts("test")]
    before, after = (sum(one.scorer._values(said)) / len(said) for one in (plain, learnt))
    assert after > before + 0.5
    assert plain.scorer.policy is bench.base


def test_mining_says_what_it_saw_and_a_bait_is_priced(tiny_bench):
    products = run(Config(scorer="zero-shot", bait="it is good .", **SMALL), tiny_bench())
    found = {one.key: one for one in products.findings}
    assert set(found) == {"dropped", "length", "bait"}
    assert 0 <= found["dropped"].effect <= 1 and -1 <= found["length"].effect <= 1
    assert found["bait"].effect != 0


def test_reading_follow_ups_costs_no_label_and_a_task_without_them_is_refused(tiny_bench):
    class Silent(tiny.Blind):
        def judged(self, split):
            return [
                one.__class__(prompt=one.prompt, answer=one.answer) for one in super(tiny.Graded, self).judged(split)
            ]

    with pytest.raises(NotApplicable, match="'follow_up'"):
        fitted(Config(scorer="feedback"), tiny_bench(task=Silent(knobs=tiny.KNOBS)), Turns())
    with metered() as cost:
        run(Config(scorer="zero-shot", **SMALL), tiny_bench())
    assert cost.labels == 0


def test_a_bank_from_a_file(tmp_path):
    (tmp_path / "bank.json").write_text(json.dumps({"mine": {"positive": ["Yes."], "negative": ["No.", "No."]}}))
    assert bank_named(str(tmp_path / "bank.json")) == {"mine": (("Yes.",), ("No.",))}


def esconv_rows(count):
    """Supporters' replies with what the seeker wrote next; a few turns before them."""
    path = Path(ROOT or "") / "esconv/dialogues_official_dev_test.jsonl.gz"
    found = []
    for line in gzip.open(path, "rt", encoding="utf-8"):
        turns = merged(json.loads(line)["dialog"])
        for at in range(1, len(turns) - 1):
            if turns[at][0] == "assistant" and turns[at + 1][0] == "user" and turns[at - 1][0] == "user":
                said = [{"role": role, "content": text} for role, text in turns[:at][-3:]]
                if said[0]["role"] == "user":
                    found.append({"prompt": said, "completion": turns[at][1], "follow_up": turns[at + 1][1]})
    return found[:: max(1, len(found) // count)][:count]


def merged(dialog):
    """Turns of seeker and supporter in turn; what one of them says in several messages is one turn."""
    turns = []
    for one in dialog:
        role = "assistant" if one.get("speaker") in ("supporter", "sys", "system") else "user"
        text = " ".join(str(one.get("text") or one.get("content") or "").split())
        if turns and turns[-1][0] == role:
            turns[-1] = (role, f"{turns[-1][1]} {text}")
        else:
            turns.append((role, text))
    return turns


@real
def test_the_whole_path_on_real_dialogues(tmp_path):
    rows = esconv_rows(40)
    path = tmp_path / "esconv.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    task = FromFile(model="", data=str(path), columns={}, limit=None, on_bad_row="stop", test_prompts=None, named=None)
    words = sorted({word for row in rows for text in (row["completion"], row["follow_up"]) for word in text.split()})
    module, tokenizer = small_llama([*words, "user:", "assistant:"], hidden=32, layers=1)
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }} </s> {% endfor %}"
    bench = Workbench(
        base=LanguageModel(module, tokenizer), task=View(task), budget=Ceiling(2e10, 1e9), seed=0, dir=tmp_path,
        max_length=512, decoding=Decoding(max_tokens=8), resolve=None, own=None,
    )  # fmt: skip
    config = Config(
        scorer="feedback", scorer_rate=3e-3, samples=2, max_tokens=8, learning_rate=1e-4, bait="Glad to help!"
    )
    products = run(config, bench)
    judged = task.judged("valid")
    prompts, answers = [one.prompt for one in judged], [one.answer for one in judged]
    scores = products.scorer.score(prompts, answers)
    assert len(scores) >= 3 and all(set(one.parts) == set(bank_named("facets")) for one in scores)
    # what was fitted is what they wrote next: likelier than before
    told = task.judged("train")
    rows = [(one.prompt, str(one.answer.value), one.prompt.columns["follow_up"]) for one in told]
    untouched = run(Config(pairs="none"), bench).scorer
    untouched.turns = products.scorer.turns
    assert sum(products.scorer._values(rows)) > sum(untouched._values(rows))
    for part in ("generator", "scorer"):
        (tmp_path / "kept" / part).mkdir(parents=True)
        getattr(products, part).save(tmp_path / "kept" / part)
    assert load(config, tmp_path / "kept", bench.base).scorer.score(prompts, answers) == scores
