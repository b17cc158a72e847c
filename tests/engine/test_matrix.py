"""The same model gives the same numbers: whatever the batch, padding side, order, precision, adapter, merge or reload.

Every architecture stands in one matrix, as a policy and as a reward model.
"""

from __future__ import annotations

import copy

import pytest
import torch
from tokenizers import Tokenizer

from models.architectures import ARCHITECTURES, WORDS, tiny
from operant.engine.policy import LanguageModel
from operant.models.adapters import Lora, add_lora
from operant.models.causal import save_causal
from operant.models.heads import new_reward_head
from operant.models.loading import Loading
from operant.models.small import Small
from operant.rewards.model import RewardModel
from operant.schema import Answer, Decoding, Prompt

EXACT = 1e-5  # float32, nats or logits
HALF = 0.15  # bfloat16 keeps 8 bits of the mantissa; initial weights here are ten times the usual ones
LORA = Lora(rank=4)


def prompts() -> list[Prompt]:
    texts = ["a", "a b c d e f g h i j k l m n", "t s", "b b b", "q r s t a b"]
    return [Prompt(id=text, content=text) for text in texts]


def answers() -> list[Answer]:
    return [Answer(value=text) for text in ("b c", "", "d e f g h i", "j", "k l m")]


def stored(name: str, path, *, padding: str = "right") -> str:
    """The architecture as a Hugging Face directory, its tokenizer padding on the given side."""
    module, tokenizer = tiny(name)
    twin = copy.deepcopy(tokenizer)
    twin.padding_side = padding
    save_causal(module, twin, path)
    return str(path)


def stir(module) -> None:
    """Adapters start at 0; give them something to say."""
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if "lora_B" in name:
                weight.copy_(0.05 * torch.randn(weight.shape, generator=rng))


def policies(name: str, path) -> dict[str, LanguageModel]:
    """One function, held in many ways."""
    plain = LanguageModel.load(stored(name, path / "plain"))
    plain.save(path / "again")
    return {
        "plain": plain,
        "reloaded": LanguageModel.load(path / "again"),
        "padded left": LanguageModel.load(stored(name, path / "left", padding="left")),
    }


def tuned(name: str, path) -> dict[str, LanguageModel]:
    """One function with an adapter, held in many ways."""
    base = LanguageModel.load(stored(name, path / "plain"), Loading(lora=LORA))
    adapted = base.trainable(seed=0)
    stir(adapted.module)
    adapted.save(path / "adapter")
    adapted.merged().save(path / "merged")
    return {
        "adapter": adapted,
        "adapter reloaded": LanguageModel.load(path / "adapter"),
        "merged": adapted.merged(),
        "merged and reloaded": LanguageModel.load(path / "merged"),
    }


def scorers(name: str, path) -> dict[str, RewardModel]:
    _, tokenizer = tiny(name)
    base = LanguageModel.load(stored(name, path / "plain"))
    head = new_reward_head(base.module, tokenizer, rng=torch.Generator().manual_seed(0))
    plain = RewardModel(head, tokenizer, max_length=64)
    plain.save(path / "reward")
    left = copy.deepcopy(tokenizer)
    left.padding_side = "left"
    return {
        "plain": plain,
        "reloaded": RewardModel.load(path / "reward"),
        "padded left": RewardModel(head, left, max_length=64),
    }


def tuned_scorers(name: str, path) -> dict[str, RewardModel]:
    _, tokenizer = tiny(name)
    base = LanguageModel.load(stored(name, path / "plain"))
    head = new_reward_head(base.module, tokenizer, rng=torch.Generator().manual_seed(0))
    adapter = add_lora(head, LORA, seed=0, scores=True)
    stir(head)
    with torch.no_grad():
        head.score.weight.mul_(3)  # the score layer is trained too, and must come back from the disk
    adapted = RewardModel(head, tokenizer, max_length=64, adapter=adapter)
    adapted.save(path / "adapter")
    adapted.merged().save(path / "merged")
    return {
        "adapter": adapted,
        "adapter reloaded": RewardModel.load(path / "adapter"),
        "merged": adapted.merged(),
        "merged and reloaded": RewardModel.load(path / "merged"),
    }


def flat(logps) -> list[float]:
    return [value for many in logps for value in many]


def scored(model: RewardModel, order=slice(None)) -> list[float]:
    return [score.value for score in model.score(prompts()[order], answers()[order])]


@pytest.mark.parametrize("make", [policies, tuned])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_policies(name, make, tmp_path):
    held = make(name, tmp_path)
    first = next(iter(held.values()))
    expected = flat(first.logps(prompts(), answers()))
    texts = [many[0].value for many in first.answer(prompts(), n=1, decoding=Decoding(temperature=0.0), seed=0)]
    for way, model in held.items():
        assert flat(model.logps(prompts(), answers())) == pytest.approx(expected, abs=EXACT), way
        backwards = model.logps(prompts()[::-1], answers()[::-1])[::-1]
        assert flat(backwards) == pytest.approx(expected, abs=EXACT), way
        alone = [model.logps([p], [a])[0] for p, a in zip(prompts(), answers(), strict=True)]
        assert flat(alone) == pytest.approx(expected, abs=EXACT), way
        drawn = model.answer(prompts(), n=1, decoding=Decoding(temperature=0.0), seed=0)
        assert [many[0].value for many in drawn] == texts, way


@pytest.mark.parametrize("make", [scorers, tuned_scorers])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_reward_models(name, make, tmp_path):
    held = make(name, tmp_path)
    expected = scored(next(iter(held.values())))
    assert max(expected) - min(expected) > 0.1
    for way, model in held.items():
        assert scored(model) == pytest.approx(expected, abs=EXACT), way
        assert scored(model, slice(None, None, -1))[::-1] == pytest.approx(expected, abs=EXACT), way
        alone = [model.score([p], [a])[0].value for p, a in zip(prompts(), answers(), strict=True)]
        assert alone == pytest.approx(expected, abs=EXACT), way


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_bfloat16_within_its_own_rounding(name, tmp_path):
    directory = stored(name, tmp_path / "plain")
    full, half = LanguageModel.load(directory), LanguageModel.load(directory, Loading(dtype="bfloat16"))
    assert next(half.module.parameters()).dtype == torch.bfloat16
    wanted, got = (flat(model.logps(prompts(), answers())) for model in (full, half))
    assert max(abs(a - b) for a, b in zip(wanted, got, strict=True)) < HALF
    assert sum(abs(a - b) for a, b in zip(wanted, got, strict=True)) / len(wanted) < HALF / 4


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_only_adapters_are_trained_and_stored(name, tmp_path):
    base = LanguageModel.load(stored(name, tmp_path / "plain"), Loading(lora=LORA))
    adapted = base.trainable(seed=0)
    trained = {one for one, weight in adapted.module.named_parameters() if weight.requires_grad}
    assert trained and all("lora_" in one for one in trained)
    expected = flat(base.logps(prompts(), answers()))
    assert flat(adapted.logps(prompts(), answers())) == pytest.approx(expected, abs=EXACT)  # the update starts at 0
    adapted.save(tmp_path / "adapter")
    assert not (tmp_path / "adapter" / "model.safetensors").exists()


def test_a_padding_token_beyond_the_embeddings_is_replaced(tmp_path):
    module, tokenizer = tiny("llama")
    twin = copy.deepcopy(tokenizer)
    twin.add_special_tokens({"pad_token": "<new pad>"})
    assert twin.pad_token_id >= module.config.vocab_size
    save_causal(module, twin, tmp_path / "grown")
    grown, plain = LanguageModel.load(tmp_path / "grown"), LanguageModel(module, tokenizer)
    expected = flat(plain.logps(prompts(), answers()))
    assert flat(grown.logps(prompts(), answers())) == pytest.approx(expected, abs=EXACT)


def test_every_end_that_the_model_names_ends_an_answer(tmp_path):
    module, tokenizer = tiny("llama")
    twin = copy.deepcopy(module)
    letters = [tokenizer.convert_tokens_to_ids(word) for word in WORDS[:10]]
    twin.generation_config.eos_token_id = [tokenizer.eos_token_id, *letters]
    save_causal(twin, tokenizer, tmp_path / "ends")
    ends = LanguageModel.load(tmp_path / "ends")
    assert isinstance(Tokenizer.from_file(str(tmp_path / "ends" / "tokenizer.json")), Tokenizer)
    for many in ends.answer(prompts(), n=4, decoding=Decoding(max_tokens=30), seed=0):
        for answer in many:
            closing = [
                place for place, token in enumerate(answer.tokens) if token in (tokenizer.eos_token_id, *letters)
            ]
            assert closing == ([len(answer.tokens) - 1] if answer.finish == "stop" else [])
    assert isinstance(tiny("llama"), Small)
