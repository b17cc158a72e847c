"""GenARM as a method."""

import warnings

import pytest
import torch

import tiny
from operant.engine.logps import answer_logps
from operant.errors import BadValue, OperantError, UnknownName
from operant.methods.decode.genarm import Config
from operant.models.small import small_llama
from operant.objectives import arm_loss
from operant.training.pairs import pair_rows, sides


def guides(products):
    return products.generator.guides


def test_the_defaults_are_the_published_settings():
    assert (Config().beta, Config().alpha, Config().learning_rate, Config().epochs) == (0.05, 1.0, 5e-4, 1)


def test_training_lowers_the_arm_loss_on_what_it_saw(tiny_run):
    products, _ = tiny_run("genarm", learning_rate=3e-3, beta=0.1)
    rows = pair_rows(tiny.base().tokenizer, tiny.graded().pairs("train"), max_length=96)

    def loss(module):
        with torch.no_grad():
            chosen, rejected = answer_logps(module, sides(rows), pad=0).sums.split(len(rows))
        return float(arm_loss(chosen, rejected, beta=0.1).mean())

    assert loss(guides(products)["preference"].model.module) < loss(tiny.base().module) - 0.01


def test_each_attribute_has_its_own_model_and_weight(tiny_run):
    settings = {"attributes": ("sentiment", "formality"), "weights": (0.5, 2.0), "alpha": 2.0}
    products, cost = tiny_run("genarm", **settings)
    assert {name: guide.weight for name, guide in guides(products).items()} == {"sentiment": 1.0, "formality": 4.0}
    one, two = (guide.model.module.state_dict() for guide in guides(products).values())
    assert any(not torch.equal(one[name], two[name]) for name in one)
    assert cost.labels == 2 * tiny.KNOBS.pairs


def test_a_smaller_model_can_guide(tiny_run, tmp_path):
    from operant.domains.text.tasks.reviews.grammar import vocabulary
    from operant.engine.policy import LanguageModel

    LanguageModel(*small_llama(vocabulary(), hidden=16, layers=1)).save(tmp_path / "small")
    products, _ = tiny_run("genarm", start=str(tmp_path / "small"))
    assert guides(products)["preference"].model.module.config.hidden_size == 16
    LanguageModel(*small_llama(["zebra"], hidden=16, layers=1)).save(tmp_path / "other")
    with pytest.raises(OperantError, match="another tokenizer"):
        tiny_run("genarm", start=str(tmp_path / "other"))


def test_wrong_settings_are_refused(tiny_run):
    with pytest.raises(BadValue, match="weights"):
        Config(attributes=("sentiment",), weights=(1.0, 2.0))
    with pytest.raises(UnknownName, match="no attribute named 'sentimant'; did you mean 'sentiment'"):
        tiny_run("genarm", attributes=("sentimant",))
    with pytest.warns(UserWarning, match="steered away"):
        Config(alpha=-1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Config(alpha=0.0)
