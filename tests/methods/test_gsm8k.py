"""Reinforcement learning on problems that nobody here wrote, with their verifier. OPERANT_TEST_DATA names the folder.

The model is small and has learnt some of the answers by heart: what is tried is the whole path on real rows.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import tiny
from operant.compare.bench import View, Workbench
from operant.compare.budget import Ceiling
from operant.compare.rows import Row, config_of
from operant.domains.text.maths.verifier import AnswerVerifier
from operant.domains.text.tasks.from_file import FromFile, Named
from operant.engine.logps import answer_logps
from operant.engine.policy import LanguageModel
from operant.meter import metered
from operant.methods import load
from operant.models.small import small_llama
from operant.models.text import encode
from operant.schema import Answer, Decoding

ROOT = os.environ.get("OPERANT_TEST_DATA")
pytestmark = pytest.mark.skipif(ROOT is None, reason="OPERANT_TEST_DATA is unset: no real data to read")
LENGTH, TOKENS = 256, 12
RATE = 1e-3


@pytest.fixture(scope="module")
def task():
    named = Named("verifier", AnswerVerifier())
    path = str(Path(ROOT or "") / "gsm8k/test.jsonl")
    return FromFile(
        model="", data=path, columns={}, limit=24, on_bad_row="stop", test_prompts=None, named=named
    )  # fmt: skip


def own(prompt):
    """What the row's own solution calculates, and its end: "<<16-3-4=9>> <<9*2=18>> #### 18"."""
    text = str(prompt.columns["target"])
    return Answer(value=" ".join([*re.findall(r"<<\S+?>>", text), "#### " + text.rpartition("#### ")[2]]))


@pytest.fixture(scope="module")
def base(task):
    """Half of what it says is right after a few steps."""
    prompts = [prompt for split in ("train", "valid", "test") for prompt in task.prompts(split)]
    texts = [f"{prompt.content} {own(prompt).value}" for prompt in prompts]
    made = LanguageModel(*small_llama(sorted({word for text in texts for word in text.split()}), hidden=64, layers=2))
    known = task.prompts("train")
    rows = encode(made.tokenizer, known, [own(prompt) for prompt in known])
    optimizer = torch.optim.AdamW(made.module.parameters(), lr=3e-3)
    for _ in range(60):
        loss = -answer_logps(made.module, rows, pad=0).logps.sum() / len(rows)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss < 1.5:
            break
    return made


class Worked:
    """The same problems, each with what its own solution calculates in the column `solution`."""

    def __init__(self, task):
        self.task = task

    def __getattr__(self, name):
        return getattr(self.task, name)

    def prompts(self, split):
        return [
            replace(one, columns={**one.columns, "solution": own(one).value}) for one in self.task.prompts(split)
        ]  # fmt: skip


def trained(slug, task, base, directory, **settings):
    """The products of a method with its own settings on a small model."""
    bench = Workbench(
        base=base, task=View(task), budget=Ceiling(6e11, 1000.0), seed=0, dir=directory, max_length=LENGTH,
        decoding=Decoding(max_tokens=TOKENS), resolve=None, own=None,
    )  # fmt: skip
    row = Row(name=slug, slug=slug, settings={"max_tokens": TOKENS, "epochs": 30, **settings})
    with metered() as cost:
        products = load(slug).run(config_of(load(slug), row, tiny.OPTIONS, small=True), bench)
    assert cost.verifier_calls > 0
    return products


def solved(task, policy):
    """Share of answers to the training problems that are right."""
    prompts = task.prompts("train")
    drawn = policy.answer(prompts, n=8, decoding=Decoding(max_tokens=TOKENS), seed=5)
    asked = [prompt for prompt, many in zip(prompts, drawn, strict=True) for _ in many]
    scores = task.verify(asked, [answer for many in drawn for answer in many])
    return sum(score.value or 0.0 for score in scores) / len(scores)


def test_answers_that_the_verifier_accepts_become_likelier(task, base, tmp_path):
    assert 0.1 < solved(task, base) < 0.9
    products = trained("oreal", task, base, tmp_path, credit="none", learning_rate=RATE)
    assert solved(task, products.generator) > solved(task, base) + 0.05


def test_problems_that_say_nothing_are_counted(task, base, tmp_path):
    right, wrong = trained("oreal", task, base, tmp_path, freeze=2, learning_rate=1e-3).findings
    assert 0 < wrong.effect < 1 and right.effect + wrong.effect < 1


def test_steps_that_are_paid_one_by_one_become_more(task, base, tmp_path):
    # steps are labelled by how many of eight completions the verifier accepts; paid as they are they multiply, and
    # clipped and less the next they do not, while right answers become likelier
    found = {
        shaping: trained("rl-reward-reasoning", task, base, tmp_path / shaping, labels="soft", shaping=shaping,
                         alpha=0.5, learning_rate=RATE, step_end=r">>")
        for shaping in ("raw", "clip_delta")
    }  # fmt: skip
    steps = {shaping: effect(products, "steps an answer, last") for shaping, products in found.items()}
    assert steps["raw"] > 1.2 * steps["clip_delta"]
    assert solved(task, found["clip_delta"].generator) > solved(task, base) + 0.05


def effect(products, name):
    return next(one.effect for one in products.findings if one.name.startswith(name))


def test_rounds_of_imitation_choose_a_temperature_and_make_right_answers_likelier(task, base, tmp_path):
    settings = {"temperatures": (0.7, 1.0), "rounds": 2, "steps": 20, "samples": 8}
    products = trained("b-star", Worked(task), base, tmp_path, learning_rate=RATE, step_end=r">>", **settings)
    assert effect(products, "round 2: temperature") in (0.7, 1.0)
    assert effect(products, "round 1: balance") > 0
    assert solved(task, products.generator) > solved(task, base) + 0.05


def test_a_tree_search_finds_answers_that_the_verifier_accepts(task, base, tmp_path):
    """Out of the tokens of sixteen answers; each round says how many of its trees held a right one."""
    settings = {"n": 16, "rounds": 1, "step_tokens": 6, "learning_rate": 1e-4, "step_end": r">>"}
    products = trained("rest-mcts", Worked(task), base, tmp_path, **settings)
    assert effect(products, "round 1: prompts with a right answer") > 0
    prompts = task.prompts("train")
    drawn = products.generator.answer(prompts, n=1, decoding=Decoding(max_tokens=TOKENS), seed=5)
    scores = task.verify(prompts, [many[0] for many in drawn])
    assert sum(score.value or 0.0 for score in scores) / len(scores) > solved(task, base) + 0.05
