"""A guide inside `generate` gives what our own guided sampling gives."""

import pytest
import torch

from models.architectures import ARCHITECTURES, EOS, PAD, tiny
from operant.engine.batch import collate
from operant.engine.mix import Part
from operant.engine.processor import GuidedLogits
from operant.engine.sampler import Asked, Source, sample_from
from operant.errors import OperantError
from operant.models.text import Encoded
from operant.schema import Decoding

PROMPTS = [(5,), (9, 8, 7, 6), (4, 5)]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_greedy_answers_agree(name):
    base, guide = (tiny(name, seed=seed)[0] for seed in (0, 1))
    asked = [Asked(str(place), (ids, ids)) for place, ids in enumerate(PROMPTS)]
    decoding = Decoding(max_tokens=8, temperature=0.0)
    parts = [Part(base), Part(guide, 0.7)]
    ours = sample_from(Source(parts), asked, n=1, decoding=decoding, seed=0, stops=frozenset({EOS}), pad=PAD)
    batch = collate([Encoded(ids, ()) for ids in PROMPTS], pad=PAD, device="cpu")
    drawn = base.generate(
        input_ids=batch.ids, attention_mask=batch.attend, do_sample=False, max_new_tokens=8, eos_token_id=EOS,
        pad_token_id=PAD, logits_processor=[GuidedLogits(guide, 0.7, attention_mask=batch.attend)],
    )  # fmt: skip
    for many, row in zip(ours, drawn[:, batch.ids.shape[1] :].tolist(), strict=True):
        tokens = list(many[0].tokens)
        assert row[: len(tokens)] == tokens


def test_one_processor_serves_one_call():
    base, guide = (tiny("llama", seed=seed)[0] for seed in (0, 1))
    ids = torch.tensor([[5, 6, 7]])
    processor = GuidedLogits(guide, 1.0, attention_mask=torch.ones_like(ids))
    settings = {"do_sample": False, "max_new_tokens": 2, "pad_token_id": PAD, "logits_processor": [processor]}
    base.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **settings)
    with pytest.raises(OperantError, match="make a new GuidedLogits for every call"):
        base.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **settings)
