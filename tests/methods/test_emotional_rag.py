"""Emotional RAG: what comes back, where the mood is planted and where it is not; and real dialogues.

OPERANT_TEST_DATA names the folder of the real rows.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from models.stub_server import Reply, stub
from operant.compare.bench import View, Workbench
from operant.compare.budget import Ceiling
from operant.domains.affect.tasks.support import Knobs, Support
from operant.domains.affect.tasks.support.generator import Style
from operant.domains.text.tasks.from_file import FromFile
from operant.engine.policy import LanguageModel
from operant.errors import NotApplicable, OperantError
from operant.methods.affect.emotional_rag import Config, Moods, load, run
from operant.models.endpoint import Endpoint
from operant.models.small import small_llama
from operant.schema import Decoding, Prompt

ROOT = os.environ.get("OPERANT_TEST_DATA")
real = pytest.mark.skipif(ROOT is None, reason="OPERANT_TEST_DATA is unset: no real data to read")
SIZES = {"pairs": 60, "valid_pairs": 60, "test_prompts": 100, "test_pairs": 8}


def bench(task, directory, base=None):
    return Workbench(
        base=base or task.base(), task=View(task), budget=Ceiling(1e12, 1e9), seed=0, dir=directory, max_length=512,
        decoding=Decoding(max_tokens=4), resolve=None, own=None,
    )  # fmt: skip


def support(**style):
    return Support(knobs=Knobs(**SIZES, style=Style(**style)))


def found(task, directory, **settings):
    products = run(Config(**settings), bench(task, directory))
    prompts = task.prompts("test")
    drawn = products.generator.answer(prompts, n=2, decoding=Decoding(max_tokens=4), seed=0)
    scores = [task.gold(prompts, [many[place] for many in drawn])["consistency"] for place in (0, 1)]
    right = sum(one.value for side in scores for one in side) / (2 * len(prompts))
    return right, {one.key: one.effect for one in products.findings}


def test_where_moods_matter_memories_of_the_same_mood_help(tmp_path):
    task = support()
    (plain, by_meaning), (moved, by_both) = (found(task, tmp_path, strategy=name) for name in ("meaning", "add"))
    assert by_both["recall"] > by_meaning["recall"] + 0.15
    # 200 answers a side: three standard errors of a difference are at most 3 x sqrt(2 x 0.25 / 200)
    assert moved > plain + 0.03
    without, _ = found(task, tmp_path, memories=False)
    assert without < 0.2 < plain


def test_where_they_do_not_filtering_by_mood_first_costs_more_than_adding(tmp_path):
    task = support(mood_matters=False)
    plain, added, first = (found(task, tmp_path, strategy=name)[0] for name in ("meaning", "add", "mood-first"))
    assert plain > added > first
    assert plain - first > 0.1


def test_the_prompt_by_hand_and_no_memory_is_the_prompt(tmp_path):
    task = support()
    prompt = task.prompts("test")[0]
    products = run(Config(k=2, template="role-play"), bench(task, tmp_path))
    told = products.generator.edit(prompt).content
    role = prompt.columns["role"]
    assert told.startswith(f"You are {role}. Here is what you remember:\n\nwhen ")
    assert told.endswith(f"\n\nAnswer as {role} would, in one paragraph, and never as an AI.\n\n{prompt.content}")
    plain = run(Config(k=2), bench(task, tmp_path)).generator.edit(prompt).content
    first, second, question = plain.split("\n\n")
    assert question == prompt.content and first in told and second in told
    assert run(Config(memories=False), bench(task, tmp_path)).generator.edit(prompt) == prompt


def test_every_encoder_gives_a_bank_and_it_is_kept(tmp_path):
    task = support(memories=3)
    task.base().save(tmp_path / "encoder")
    prompts = task.prompts("test")[:5]
    for encoder in ("words", "base", str(tmp_path / "encoder")):
        config = Config(encoder=encoder, k=3)
        made = run(config, bench(task, tmp_path)).generator
        where = tmp_path / f"kept-{len(encoder)}/generator"
        where.mkdir(parents=True)
        made.save(where)
        assert load(config, where.parent, task.base()).generator.edited(prompts) == made.edited(prompts)


def test_wrong_emotions_and_unknown_characters_name_their_row():
    moods = Moods(Config(), None)
    for told in ("sad", [float("nan")], ["a"]):
        with pytest.raises(OperantError, match="column emotion of 'p'"):
            moods.of([Prompt(id="p", content="x", columns={"emotion": told})], ["x"])
    assert moods.of([Prompt(id="p", content="x", columns={"emotion": [0, 0]})], ["x"]) == [None]


def test_a_stranger_has_no_memories(tmp_path):
    task = support(memories=2)
    made = run(Config(), bench(task, tmp_path)).generator
    with pytest.raises(NotApplicable, match="nobody called 'zoe'"):
        made.edit(Prompt(id="p", content="work left me sad", columns={"role": "zoe"}))


def test_emotions_are_asked_of_a_server_once_a_text_and_what_fails_is_left_out(tmp_path):
    texts = [f"{text} {place}" for place in range(12) for text in ("i won", "i lost", "it rained")]
    rows = [{"prompt": text, "completion": "yes", "role": "ada"} for text in texts]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = FromFile(model="", data=str(path), columns={}, limit=None, on_bad_row="skip", test_prompts=None, named=None)

    def scores(number, body):
        told = '{"joy": 8}' if "i won" in body["prompt"] else '{"sadness": 8}' if "i lost" in body["prompt"] else "well"
        return Reply({"choices": [{"text": told, "finish_reason": "stop"}], "usage": {"total_tokens": 1}})

    with stub(scores) as server:
        made = run(Config(emotions="asked"), bench(task, tmp_path, Endpoint.of(f"endpoint:m@{server.url}")))
        memories = made.generator.about["memories"]
        asked = [one["body"]["prompt"] for one in server.seen]
    assert len(asked) == len(set(asked))
    assert memories and all("it rained" not in one["text"] for one in memories)
    shares = {one.key: one.effect for one in made.findings}
    assert 0.1 < shares["without"] < 0.7  # a third of all rows; which of them are memories hangs on the split


def esconv(count):
    """Seekers' turns and what supporters said, with the strategy as the role: who listens alike remembers together."""
    path = Path(ROOT or "") / "esconv/dialogues_official_dev_test.jsonl.gz"
    found = []
    for line in gzip.open(path, "rt", encoding="utf-8"):
        told = json.loads(line)
        for before, after in zip(told["dialog"], told["dialog"][1:], strict=False):
            if before["speaker"] == "seeker" and after["speaker"] == "supporter":
                found.append({"prompt": before["text"], "completion": after["text"], "role": "supporter",
                              "dialogue": told["id"]})  # fmt: skip
    return found[:: max(1, len(found) // count)][:count]


@real
def test_the_whole_path_on_real_dialogues(tmp_path):
    rows = esconv(400)
    path = tmp_path / "esconv.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    task = FromFile(model="", data=str(path), columns={}, limit=None, on_bad_row="skip", test_prompts=None, named=None)
    words = sorted({word for row in rows for word in f"{row['prompt']} {row['completion']}".split()})
    base = LanguageModel(*small_llama(words, hidden=16, layers=1))
    added, plain = (run(Config(strategy=name, k=3), bench(task, tmp_path, base)) for name in ("add", "meaning"))
    shares = {one.key: one.effect for one in added.findings}
    # most turns name no emotion that the lexicon knows: they are left out, and said to be
    assert 0 < shares["without"] < 1 and 0 < shares["mood share"] < 1
    prompts = task.prompts("valid")
    both = list(zip(added.generator.edited(prompts), plain.generator.edited(prompts), strict=True))
    assert any(one.content != two.content for one, two in both)
    assert all(one.content.endswith(prompt.content) for (one, _), prompt in zip(both, prompts, strict=True))
    answers = added.generator.answer(prompts[:2], n=1, decoding=Decoding(max_tokens=4), seed=0)
    assert all(many[0].value for many in answers)
