"""The right answer anywhere in the next few tokens, as Zhou et al. 2023, arXiv:2302.13439, look for it.

Needs the distribution over the next token, and answers of one token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from operant.engine import output
from operant.engine.body import passes
from operant.engine.logps import read
from operant.errors import NotApplicable
from operant.models.text import Encoded, encode_prompt
from operant.probes.answers import Question, Table, slot
from operant.schema import Decoding, Prompt

POSITIONS = 10  # tokens that are written and looked at, all of them
KEPT = 50  # likeliest tokens of each position; others count as 0


def one_token(tokenizer: Any, question: Question) -> bool:
    """Whether a right answer is a single token behind a space, and no number."""
    return any(
        len(tokenizer(f" {text}", add_special_tokens=False)["input_ids"]) == 1 and not text.strip().isnumeric()
        for text in question.accepted
    )


def in_positions(model: Any, questions: Sequence[Question], markers: Sequence[str], *, seed: int) -> Table:
    """Ten tokens sampled at temperature 1 behind each marker; the right answer may stand at any of them.

    `correct`: it is the likeliest token of some position. `gold`: its probability at its best position, aliases
    together. `mass`, `share` and `entropy` are of the answer set at that position. Texts only: a conversation's
    answer cannot be begun this way.
    """
    slots = [slot(question.prompt, text) for text in markers for question in questions]
    if any(one.said for one in slots):
        raise NotApplicable("tokens are sampled behind texts; a conversation needs score=set")
    asked = [Prompt(id=f"{one.prompt.id}/{place}", content=one.prompt.content) for place, one in enumerate(slots)]
    answers = model.answer(asked, n=1, decoding=Decoding(max_tokens=POSITIONS), seed=seed)
    rows = [
        Encoded(encode_prompt(model.tokenizer, one), tuple(many[0].tokens))
        for one, many in zip(asked, answers, strict=True)
    ]
    names = _names(model.tokenizer)
    cells = [(0.0,) * len(Table._fields)] * len(rows)
    for group in passes(model.module, rows):
        for place, top in zip(group, _top(model, [rows[place] for place in group]), strict=True):
            cells[place] = _best(top, questions[place % len(questions)], names)
    shape = (len(markers), len(questions))
    return Table(*(np.array(column).reshape(shape) for column in zip(*cells, strict=True)))


def _names(tokenizer: Any) -> list[str]:
    """Every token as text, in lower case and without spaces."""
    ids = range(len(tokenizer))
    return [tokenizer.decode([one], clean_up_tokenization_spaces=False).strip(" ").lower() for one in ids]


@torch.no_grad()
def _top(model: Any, rows: Sequence[Encoded]) -> list[tuple[Any, Any]]:
    """For every row the likeliest tokens of its positions and their probabilities, [positions, kept] each."""
    hidden = read(model.module, rows, pad=model.tokenizer.pad_token_id)
    chances, ids = [], []
    for tile in output.tiles(len(hidden)):
        probabilities = output.logits(model.module, hidden[tile]).float().softmax(-1)
        best = probabilities.topk(min(KEPT, probabilities.shape[-1]), dim=-1)
        chances.append(best.values)
        ids.append(best.indices)
    counts = [len(row.answer) for row in rows]
    both = zip(torch.cat(chances).split(counts), torch.cat(ids).split(counts), strict=True)
    return [(one.tolist(), two.tolist()) for one, two in both]


def _best(top: tuple[Any, Any], question: Question, names: list[str]) -> tuple[float, ...]:
    right, whole = ({text.strip().lower() for text in some} for some in (question.accepted, question.answers))
    found, correct = (0.0, 0.0, 0.0), 0.0
    for chances, ids in zip(*top, strict=True):
        named = [(names[one], chance) for one, chance in zip(ids, chances, strict=True)]
        correct = max(correct, float(named[0][0] in right))
        each: dict[str, float] = {}
        for name, chance in named:
            if name in whole:
                each[name] = each.get(name, 0.0) + chance
        gold, mass = sum(each.get(name, 0.0) for name in right), sum(each.values())
        shares = np.array([chance / mass for chance in each.values() if chance > 0]) if mass else np.ones(1)
        found = max(found, (gold, mass, float(-(shares * np.log(shares)).sum())))
    gold, mass, entropy = found
    return gold, correct, mass, gold / mass if mass else 0.0, entropy
