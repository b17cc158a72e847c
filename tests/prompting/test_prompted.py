"""A prompted generator: the base at other prompts, the same draws, and an exact KL to the base's own prompt."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import tiny
from operant.errors import NotApplicable
from operant.meter import metered
from operant.models.text import encode
from operant.prompting.edits import after_instruction
from operant.prompting.prompted import Prompted, about_of
from operant.schema import Decoding, Generator, Prompt

PROMPTS = [Prompt(id=str(place), content=f"review the desk {word} :") for place, word in enumerate(("", "( )", "and"))]
DECODING = Decoding(max_tokens=5)


def edited(prompt):
    return after_instruction(prompt, "noise and service")


@pytest.fixture
def prompted():
    return Prompted(tiny.base(), edited, about={"text": "noise and service"})


def answers_of(generator):
    return [many[0] for many in generator.answer(PROMPTS, n=1, decoding=DECODING, seed=3)]


def test_it_is_the_base_at_other_prompts(prompted):
    assert isinstance(prompted, Generator)
    changed = [replace(prompt, content=f"{prompt.content} noise and service") for prompt in PROMPTS]
    ours = answers_of(prompted)
    assert ours == [many[0] for many in tiny.base().answer(changed, n=1, decoding=DECODING, seed=3)]
    assert prompted.logps(PROMPTS, ours) == tiny.base().logps(changed, ours)
    assert ours != answers_of(tiny.base())


def test_an_edit_of_nothing_is_the_base_and_its_kl_is_zero():
    same = Prompted(tiny.base(), lambda prompt: prompt)
    ours = answers_of(same)
    assert ours == answers_of(tiny.base())
    assert same.kl(tiny.base(), PROMPTS, ours).values == (0.0, 0.0, 0.0)


def test_kl_by_hand(prompted):
    ours = answers_of(prompted)
    found = prompted.kl(tiny.base(), PROMPTS, ours)
    assert found.kind == "estimate"
    base = tiny.base()
    for prompt, answer, value in zip(PROMPTS, ours, found.values, strict=True):
        rows = encode(base.tokenizer, [edited(prompt), prompt], [answer, answer])
        p, q = (logps_over_vocabulary(base.module, row) for row in rows)
        # sum over answer positions of sum over the vocabulary of p (log p - log q)
        assert value == pytest.approx(float((p.exp() * (p - q)).sum()), abs=1e-5)
        assert value > 0


@torch.no_grad()
def logps_over_vocabulary(module, row):
    logits = module(torch.tensor([row.prompt + row.answer])).logits[0, len(row.prompt) - 1 : -1]
    return logits.log_softmax(-1)


def test_the_longer_prompt_is_charged(prompted):
    costs = []
    for generator in (tiny.base(), prompted):
        with metered() as cost:
            generator.answer(PROMPTS, n=1, decoding=Decoding(max_tokens=1), seed=0)
        costs.append(cost)
    assert costs[1].forward_tokens == costs[0].forward_tokens + 3 * len(PROMPTS)


class Remote:
    """Answers, and shows nothing else."""

    @property
    def module(self):
        raise NotApplicable("it has no weights")


def test_without_weights_there_is_no_kl():
    found = Prompted(Remote(), edited).kl(Remote(), PROMPTS, [])
    assert (found.kind, found.values, found.why) == ("none", None, "it has no weights")


def test_what_it_was_made_of_and_its_base_are_kept(prompted, tmp_path):
    prompted.save(tmp_path)
    assert about_of(tmp_path) == {"text": "noise and service"}
    assert (tmp_path / "base" / "model.safetensors").is_file()
    assert prompted.points() == []
