"""Re-reading: the prompt that is asked, votes, what is measured; and on problems that nobody here wrote.

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
from operant.decoding.majority import Majority
from operant.domains.text.maths.verifier import AnswerVerifier
from operant.domains.text.tasks.from_file import FromFile, Named
from operant.domains.text.tasks.instructions import Instructions, Knobs
from operant.engine.policy import LanguageModel
from operant.errors import BadValue
from operant.methods.prompt.re_reading import Config, changed, load, reading, run
from operant.models.endpoint import Endpoint
from operant.models.small import small_llama
from operant.prompting.edits import Demo
from operant.prompting.frames import FORMS
from operant.schema import Answer, Decoding, Prompt

ROOT = os.environ.get("OPERANT_TEST_DATA")
real = pytest.mark.skipif(ROOT is None, reason="OPERANT_TEST_DATA is unset: no real data to read")
AGAIN = " \n\nRead the question again: "
PROBLEM = Prompt(id="p", content="How many legs have 2 cats?", columns={"targets": ("8",)})


def content(prompt=PROBLEM, demos=(), **settings):
    return changed(prompt, Config(**settings), demos).content


def test_the_released_prompt_by_hand():
    # Q, the question twice, what form the answer is to have, and where the answer begins: nothing else twice
    legs = PROBLEM.content
    assert content(template="question-answer", form="number", trigger="cot") == (
        f"\nQ: {legs}{AGAIN}{legs}\n\n{FORMS['number']}\n\nA: Let's think step by step."
    )
    assert content() == f"{legs}{AGAIN}{legs}"
    assert content(times=1) == legs


def test_worked_examples_are_read_once_and_the_instruction_too():
    prompt = Prompt(id="p", content="", columns={"instruction": "Count.", "input": "a b ? a", "task": "count"})
    demos = [Demo("b ? b", "1", "count"), Demo("a ? a", "1", "count")]
    asked = content(prompt, demos, template="question-answer", shots=2)
    assert asked.startswith("Count.\n\nQ: ") and asked.endswith(f"\nQ: a b ? a{AGAIN}a b ? a\n\nA: ")
    assert [asked.count(part) for part in ("Count.", "Q: b ? b\n", "Q: a ? a\n", AGAIN)] == [1, 1, 1, 1]


def test_settings_without_effect_cannot_be_written():
    for settings in ({"shots": 2}, {"template": "program", "trigger": "cot"}, {"template": "program", "form": "text"},
                     {"votes": 0}, {"tried": -1}):  # fmt: skip
        with pytest.raises(BadValue):
            Config(**settings)


def test_only_the_box_counts_where_it_was_asked_for():
    boxed = Config(form="number")
    assert reading(boxed, "\\boxed{7} or rather \\boxed{8}.") == "8"
    assert reading(boxed, f"{PROBLEM.content} 8") is None  # a number of the question is no answer
    assert reading(Config(), "The Cat. It is") == "the cat"


def bench(base, task, directory):
    return Workbench(
        base=base, task=View(task), budget=Ceiling(1e12, 1e9), seed=0, dir=directory, max_length=256,
        decoding=Decoding(max_tokens=6), resolve=None, own=None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def instructions():
    return Instructions(knobs=Knobs(pairs=30, valid_pairs=12, test_prompts=16, test_pairs=8))


def test_what_is_measured(instructions, tmp_path):
    base = instructions.base()
    products = run(Config(tried=3, form="text"), bench(base, instructions, tmp_path))
    found = {one.key: one for one in products.findings}
    # the word-level tokenizer: "Read the question again:" is 4 tokens, the rest is the input
    inputs = [len(prompt.columns["input"].split()) for prompt in instructions.prompts("valid")]
    assert found["price"].effect == pytest.approx(4 + sum(inputs) / len(inputs))
    assert found["unread"].effect == 1  # this base never boxes an answer
    for name in ("gradient", "attention"):
        assert 0 < found[name].effect < 1


def test_votes_and_examples_are_kept(instructions, tmp_path):
    config = Config(votes=3, template="question-answer", shots=2)
    base = instructions.base()
    products = run(config, bench(base, instructions, tmp_path / "run"))
    (tmp_path / "product/generator").mkdir(parents=True)
    products.generator.save(tmp_path / "product/generator")
    again = load(config, tmp_path / "product", base).generator
    prompts = instructions.prompts("test")[:4]
    asked, decoding = instructions.prompts("test")[:4], Decoding(max_tokens=4)
    assert isinstance(again, Majority)
    assert again.base.edited(prompts) == products.generator.base.edited(prompts)
    ours, theirs = (one.answer(asked, n=1, decoding=decoding, seed=1) for one in (again, products.generator))
    assert ours == theirs
    assert all(sum(many[0].trace["votes"].values()) + many[0].trace["unread"] == 3 for many in ours)


def test_it_works_over_an_endpoint(instructions, tmp_path):
    reply = Reply(body={"choices": [{"text": "8", "finish_reason": "stop"}], "usage": {"total_tokens": 9}})
    with stub(lambda number, body: reply) as server:
        base = Endpoint.of(f"endpoint:model@{server.url}")
        products = run(Config(), bench(base, instructions, tmp_path))
        answers = products.generator.answer([PROBLEM], n=1, decoding=Decoding(), seed=0)
    assert answers[0][0].value == "8"
    assert server.seen[0]["body"]["prompt"] == f"{PROBLEM.content}{AGAIN}{PROBLEM.content}"
    assert products.findings[0].unit == "words a prompt"


@real
def test_released_answers_are_read_and_judged_as_their_authors_did():
    path = Path(ROOT or "") / "rereading_gsm8k/gpt4omini_read1_vs_read2.jsonl.gz"
    rows = [json.loads(line) for line in gzip.open(path, "rt", encoding="utf-8")]
    verifier, differing, right = AnswerVerifier(), 0, {}
    for row in rows:
        prompt = Prompt(id=str(row["id"]), content=row["input"], columns={"target": str(row["target"])})
        for way in ("vanilla", "cot"):
            text = row[way]["generation"][0]
            value = verifier.score([prompt], [Answer(value=reading(Config(form="number"), text) or "")])[0].value
            differing += value != row[way]["score"]
            right.setdefault((way, row["read_times"]), []).append(value)
    shares = {key: sum(values) / len(values) for key, values in right.items()}
    assert differing == 0
    assert shares["cot", 2] > shares["cot", 1] and shares["vanilla", 2] > shares["vanilla", 1]


@real
def test_the_whole_path_on_real_problems(tmp_path):
    named = Named("verifier", AnswerVerifier())
    task = FromFile(
        model="", data=str(Path(ROOT or "") / "gsm8k/test.jsonl"), columns={}, limit=24, on_bad_row="stop",
        test_prompts=None, named=named,
    )  # fmt: skip
    words = sorted({word for split in ("train", "valid", "test") for prompt in task.prompts(split)
                    for word in prompt.content.split()})  # fmt: skip
    base = LanguageModel(*small_llama(words, hidden=32, layers=2))
    config = Config(template="question-answer", form="number", trigger="cot", tried=2, votes=2)
    products = run(config, bench(base, task, tmp_path))
    prompts = task.prompts("test")
    assert all(products.generator.base.edit(one).content.count(one.content) == 2 for one in prompts)
    answers = [many[0] for many in products.generator.answer(prompts, n=1, decoding=Decoding(max_tokens=8), seed=0)]
    assert all(score.value in (0.0, 1.0) for score in task.gold(prompts, answers)[task.metrics[0].name])
    assert {one.key for one in products.findings} == {"price", "unread", "gradient", "attention"}
