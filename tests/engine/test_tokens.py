"""Terms of token-level objectives, against plain forwards; activations, against what the hooks should see."""

import pytest
import torch

from models.architectures import ARCHITECTURES, PAD, plain_logps, random_rows, tiny
from operant.engine.activations import watching
from operant.engine.tokens import token_terms
from operant.errors import OperantError


def rows():
    return [row for row in random_rows(8) if row.answer]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_ratio_and_kl_are_those_of_plain_forwards(name):
    policy, reference = (tiny(name, seed=seed)[0] for seed in (1, 0))
    terms = token_terms(policy, reference, rows(), pad=PAD)
    for place, row in enumerate(rows()):
        count = len(row.answer)
        assert terms.mask[place].sum() == count
        ours, theirs = plain_logps(policy, row), plain_logps(reference, row)
        expected = [a - b for a, b in zip(ours, theirs, strict=True)]
        assert terms.ratio[place, :count].tolist() == pytest.approx(expected, abs=1e-4)
        with torch.no_grad():
            tables = [
                net(input_ids=torch.tensor([row.prompt + row.answer]))
                .logits[0, len(row.prompt) - 1 : -1]
                .log_softmax(-1)
                for net in (policy, reference)
            ]
        # -KL(ref || pi) = sum over v of ref(v) (log pi(v) - log ref(v))
        kl = (tables[1].exp() * (tables[0] - tables[1])).sum(-1)
        assert terms.kl[place, :count].tolist() == pytest.approx(kl.tolist(), abs=1e-4)
    assert terms.kl.max() <= 0


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_hidden_states_predict_the_token_and_do_not_hang_on_padding(name):
    module, _ = tiny(name)
    together = token_terms(module, module, rows(), pad=PAD)
    for place, row in enumerate(rows()):
        alone = token_terms(module, module, [row], pad=PAD)
        count = len(row.answer)
        for layer, own in zip(together.hidden, alone.hidden, strict=True):
            assert torch.allclose(layer[place, :count], own[0], atol=1e-4)
    assert len(together.hidden) == module.config.num_hidden_layers  # the embeddings are left out


def test_equal_models_have_no_terms_and_the_kl_no_gradient():
    module, _ = tiny("llama")
    terms = token_terms(module, module, rows(), pad=PAD)
    assert terms.ratio.abs().max() < 1e-5 and terms.kl.abs().max() < 1e-5
    terms.kl.sum().backward()  # the derivative of KL(ref || pi) at pi = ref is 0
    assert max(float(weight.grad.abs().max()) for weight in module.parameters() if weight.grad is not None) < 1e-4
    module.zero_grad(set_to_none=True)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_shows_its_activations(name):
    module, _ = tiny(name)
    with watching(module) as seen, torch.no_grad():
        module(input_ids=torch.tensor([[5, 6, 7]]))
    layers = module.config.num_hidden_layers
    assert len(seen["mlp"]) == layers
    assert len(seen["attn"]) >= layers
    assert all(one.shape == (1, 3) for many in seen.values() for one in many)
    before = len(seen["mlp"])
    module(input_ids=torch.tensor([[5, 6, 7]]))
    assert len(seen["mlp"]) == before  # the hooks are gone


def test_the_mean_is_over_features():
    module, _ = tiny("llama")
    kept = []
    hook = module.model.layers[0].mlp.act_fn.register_forward_hook(lambda part, inputs, output: kept.append(output))
    with watching(module) as seen, torch.no_grad():
        module(input_ids=torch.tensor([[5, 6, 7]]))
    hook.remove()
    assert torch.allclose(seen["mlp"][0], kept[0].mean(-1))


def test_an_unknown_architecture_is_refused():
    with pytest.raises(OperantError, match="no activation of Linear is known by name"), watching(torch.nn.Linear(2, 2)):
        pass
