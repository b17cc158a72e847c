"""Objectives that learn from scores of segments: what each makes of a text, where they are plain likelihood."""

from dataclasses import replace
from math import exp, inf

import pytest
import torch
from torch import tensor

import tiny
from operant.engine.answer_states import answer_states
from operant.engine.policy import LanguageModel
from operant.errors import BadValue, OperantError
from operant.methods import load
from operant.methods.pretrain.pretraining_human_preferences import (
    ALIGNED,
    MISALIGNED,
    Config,
    ValueHead,
    good_segments,
    likelihood,
    rows_of,
    starting,
    threshold_of,
)
from operant.models.adapters import Lora
from operant.models.loading import Loading
from operant.objectives import unlikelihood_batch_mean
from operant.schema import Decoding, Document

SLUG = "pretraining-human-preferences"
DECODING = Decoding(max_tokens=6)


def same(one, other):
    pairs = zip(one.module.parameters(), other.module.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def document(*scores):
    return Document(id="0", segments=("the build is good . ",) * len(scores), scores=scores)


def trained(tmp_path, change, **settings):
    """A run on the tiny task with other scores."""

    class Texts(tiny.Blind):
        def documents(self, split, *, scored=False):
            return [change(one) for one in super().documents(split, scored=scored)]

    bench = tiny.bench(tmp_path / "run", task=Texts(knobs=tiny.KNOBS))
    return load(SLUG).run(tiny.config(SLUG, **settings), bench)


def made(bench, documents, **settings):
    """Rows of an objective, and the tokenizer that reads them."""
    config = Config(**settings)
    tokenizer = starting(config, bench).tokenizer
    return rows_of(config, tokenizer, documents, bench), tokenizer


def test_the_defaults_are_the_published_settings():
    assert (Config().objective, Config().learning_rate, Config().batch_size, Config().alpha) == (
        "conditional",
        5e-4,
        64,
        1,
    )


# Conditional training


def test_every_segment_is_tagged_by_its_own_score(tiny_bench):
    # scores 0, 1, 0.0005 under the threshold 0.00056: good, bad, good; and the end is good
    rows, tokenizer = made(tiny_bench(), [document(0.0, 1.0, 0.0005)], drop=0.0)
    good, bad = tokenizer.convert_tokens_to_ids([ALIGNED, MISALIGNED])
    words = tuple(tokenizer("the build is good .")["input_ids"])
    ((row, _),) = rows
    assert row.encoded.answer == (good, *words, bad, *words, good, *words, good, tokenizer.eos_token_id)
    assert all(row.learnt)  # the tags as well


def test_a_share_of_the_segments_has_no_tag(tiny_bench):
    bench = tiny_bench()
    documents = bench.task.documents("train", scored=True)
    for drop in (0.0, 0.3, 1.0):
        rows, tokenizer = made(bench, documents, drop=drop, threshold=0.5)
        tags = set(tokenizer.convert_tokens_to_ids([ALIGNED, MISALIGNED]))
        found = sum(token in tags for row, _ in rows for token in row.encoded.answer)
        places = sum(len(one.segments) + 1 for one in documents)
        assert abs(found - (1 - drop) * places) <= 4 * (places * drop * (1 - drop)) ** 0.5


def test_with_every_tag_dropped_the_rows_are_those_of_plain_training(tiny_bench):
    bench = tiny_bench()
    documents = bench.task.documents("train", scored=True)
    rows, tokenizer = made(bench, documents, drop=1.0)
    assert [row.encoded for row, _ in rows] == tiny.text_rows(tokenizer, documents, max_length=bench.max_length)
    assert rows == made(bench, documents, objective="mle")[0]


def test_the_answer_is_written_behind_the_tag_and_the_training_is_the_same(tiny_run):
    found = {tag: tiny_run(SLUG, tag=tag)[0].generator for tag in ("aligned", "misaligned", "none")}
    tokenizer = found["none"].model.tokenizer
    good, bad = tokenizer.convert_tokens_to_ids([ALIGNED, MISALIGNED])
    assert [found[tag].after for tag in found] == [(good,), (bad,), ()]
    assert all(generator.banned == {good, bad} for generator in found.values())
    assert same(found["aligned"].model, found["misaligned"].model)


def test_without_the_ban_the_model_writes_tags_itself(tiny_run):
    # The naive failure: tags are learnt, so a model that may write them does.
    generator = tiny_run(SLUG, tag="none", learning_rate=2e-2)[0].generator
    prompts = tiny.graded().prompts("test")

    def tags(one):
        drawn = one.answer(prompts, n=8, decoding=DECODING, seed=0)
        return sum(token in generator.banned for many in drawn for answer in many for token in answer.tokens)

    assert tags(generator.model) > 0 and tags(generator) == 0


def test_lora_is_refused_where_embeddings_must_be_learnt(tiny_bench):
    bench = tiny_bench()
    bench.base = LanguageModel(bench.base.module, bench.base.tokenizer, loading=Loading(lora=Lora(rank=2)))
    with pytest.raises(OperantError, match="LoRA trains no embeddings"):
        starting(Config(), bench)
    assert starting(Config(objective="filtering"), bench).tokenizer is bench.base.tokenizer


# Filtering


def test_filtering_keeps_documents_by_their_mean_score(tiny_bench):
    # means 0, 1/2, 1/4; the median is 1/4
    documents = [document(0.0, 0.0), document(1.0, 0.0), document(0.5, 0.0)]
    config = Config(objective="filtering")
    assert threshold_of(config, documents) == 0.25
    rows, _ = made(tiny_bench(), documents, objective="filtering")
    kept, _ = made(tiny_bench(), [documents[0], documents[2]], objective="mle")
    assert rows == kept
    assert len(made(tiny_bench(), documents, objective="filtering", threshold=0.1)[0]) == 1


def test_filtering_nothing_is_plain_training(tiny_run):
    plain, _ = tiny_run(SLUG, objective="mle")
    all_kept, _ = tiny_run(SLUG, objective="filtering", threshold=inf)
    some, _ = tiny_run(SLUG, objective="filtering")
    assert same(all_kept.generator, plain.generator) and not same(some.generator, plain.generator)


# Unlikelihood


def test_unlikelihood_with_every_segment_good_is_plain_training(tmp_path):
    def fine(one):
        return replace(one, scores=(0.0,) * len(one.segments) if one.scores else None)

    plain = trained(tmp_path / "plain", fine, objective="mle")
    unlikely = trained(tmp_path / "unlikely", fine, objective="unlikelihood")
    assert same(plain.generator, unlikely.generator)


def test_a_tokens_weight_is_the_score_of_that_token(tiny_bench):
    # Toggling the score of the middle segment changes the loss of its own tokens, each predicted from the one before.
    bench = tiny_bench()
    (old, was), (new, now) = (
        made(bench, [document(0.0, score, 0.0)], objective="unlikelihood")[0][0] for score in (0.0, 1.0)
    )
    logps, mask = tiny.learnt_logps(tiny.base().module, [old])

    def each(good):
        return torch.stack([
            unlikelihood_batch_mean(logps[:, [at]], mask[:, [at]], tensor([[good[at]]]), alpha=1.0, batch_tokens=1,
                                    batch_texts=1) for at in range(len(good))
        ])  # fmt: skip

    changed = (each(was) != each(now)).flatten().tolist()
    assert changed == [segment == 1 for segment in old.segments] and sum(changed) == 5
    assert old.encoded == new.encoded


def test_without_a_threshold_scores_are_shares():
    assert good_segments(document(0.0, 0.25, 1.0), None) == (1.0, 0.75, 0.0)
    assert good_segments(document(0.0, 0.25, 1.0), 0.25) == (1.0, 1.0, 0.0)
    with pytest.raises(BadValue, match="score is 3.0; expected between 0 and 1 where no threshold= is set"):
        threshold_of(Config(objective="unlikelihood"), [document(0.0, 3.0)])


def test_alpha_is_the_weight_of_bad_segments(tiny_run):
    one, two = (tiny_run(SLUG, objective="unlikelihood", alpha=alpha)[0] for alpha in (1.0, 0.01))
    assert not same(one.generator, two.generator)


# What is common to them


def test_scores_are_labels_and_plain_training_reads_none(tiny_run):
    segments = sum(len(one.segments) for one in tiny.graded().documents("train"))
    costs = {
        name: tiny_run(SLUG, objective=name)[1].labels for name in ("conditional", "filtering", "unlikelihood", "mle")
    }
    assert costs == {"conditional": segments, "filtering": segments, "unlikelihood": segments, "mle": 0}


@pytest.mark.parametrize("objective", ["conditional", "filtering", "unlikelihood"])
def test_a_threshold_that_parts_nothing_is_refused_by_name(objective):
    documents = [document(0.1, 0.2), document(0.3, 0.3)]
    with pytest.raises(OperantError, match="are above the threshold 0.05, from 0.1"):
        threshold_of(Config(objective=objective, threshold=0.05), documents)
    with pytest.raises(OperantError, match="are at or below the threshold 0.9"):
        threshold_of(Config(objective=objective, threshold=0.9), documents)
    assert threshold_of(Config(objective=objective, threshold=0.2), documents) == 0.2


def test_objectives_may_begin_after_plain_training(tiny_run):
    whole, _ = tiny_run(SLUG)
    late, _ = tiny_run(SLUG, mle_first=0.9)
    assert not same(whole.generator.model, late.generator.model)


def test_settings_without_effect_are_refused():
    for settings in ({"threshold": 0.1}, {"drop": 0.5}, {"tag": "none"}, {"alpha": 2.0}, {"mle_first": 0.5}):
        with pytest.raises(BadValue, match="left out with objective=mle"):
            Config(objective="mle", **settings)
    for settings in ({"drop": 1.5}, {"alpha": 0.0}, {"mle_first": 1.0}):
        with pytest.raises(BadValue):
            Config(**settings)


# Regression, weighted by reward and by advantage


def test_tokens_have_the_reward_of_their_own_segment(tiny_bench):
    # scores 1 and 0: rewards -1 and 0, 5 words each, and 0 for the end
    (_, rewards), = made(tiny_bench(), [document(1.0, 0.0)], objective="rwr")[0]  # fmt: skip
    assert rewards == (-1.0,) * 5 + (0.0,) * 5 + (0.0,)


def test_a_score_weighs_the_predicted_token_and_not_the_predicting_one(tmp_path):
    # the first token of a text stands behind the start; with another score there only its own weight changes
    bench = tiny.bench(tmp_path)
    (row, rewards), = made(bench, [document(1.0, 0.0)], objective="rwr")[0]  # fmt: skip
    config, module = Config(objective="rwr", beta=0.5), bench.base.module
    values = [float(likelihood(config, None, 0, module, [(row, told)], [(row, told)]).detach())
              for told in (rewards, (0.0, *rewards[1:]))]  # fmt: skip
    first = -float(answer_states(module, [row.encoded], pad=0).logps.detach()[0, 0])
    # its weight goes from exp(-1 / 0.5) to 1
    assert values[1] - values[0] == pytest.approx((1 - exp(-2.0)) * first / row.tokens, rel=1e-4)


def test_with_rewards_of_0_it_is_plain_training(tmp_path, tiny_run):
    fine = trained(tmp_path, lambda one: replace(one, scores=(0.0,) * len(one.segments)), objective="rwr")
    assert same(fine.generator, tiny_run(SLUG, objective="mle")[0].generator)


def test_advantage_weighted_by_hand(tiny_bench):
    # an untrained head expects -1/2 of every token: weights exp((R + 1/2) / beta), and (R + 1/2)^2 beside
    bench = tiny_bench()
    config, module = Config(objective="awr", beta=0.5, imitation=0.3), bench.base.module
    rows = made(bench, [document(1.0, 0.0)], objective="awr")[0]
    (row, rewards), = rows  # fmt: skip
    got = likelihood(config, ValueHead(module), 0, module, rows, rows).detach()
    nll = -answer_states(module, [row.encoded], pad=0).logps.detach()[0]
    told = tensor(rewards)
    wanted = 0.3 * (((told + 0.5) / 0.5).exp() * nll).mean() + 0.7 * ((told + 0.5) ** 2).mean()
    torch.testing.assert_close(got, wanted.unsqueeze(0))


def test_what_was_expected_is_read_before_the_token_and_taught_to_the_body(tiny_bench):
    bench = tiny_bench()
    module, head = bench.base.snapshot().module, ValueHead(bench.base.module)
    with torch.no_grad():
        head.layer.weight.fill_(0.1)
    rows = made(bench, [document(1.0, 0.0)], objective="awr")[0]
    config = Config(objective="awr", imitation=1e-9)
    likelihood(config, head, 0, module, rows, rows).sum().backward()
    assert module.model.layers[0].mlp.up_proj.weight.grad.abs().max() > 1e-6
    # the value of the first token hangs on the prompt alone
    (row, _), = rows  # fmt: skip
    other = row.encoded._replace(answer=(9, *row.encoded.answer[1:]))
    one, two = (head(answer_states(module, [each], pad=0).hidden)[0, 0] for each in (row.encoded, other))
    assert one == two


@pytest.mark.parametrize(
    "settings", [{"objective": "rwr", "beta": 0.3}, {"objective": "awr", "beta": 0.3},
                 {"objective": "awr", "imitation": 0.1}, {"objective": "rwr", "mle_first": 0.5}],
)  # fmt: skip
def test_settings_of_regression_have_an_effect(settings, tiny_run):
    plain = {"objective": settings["objective"]}
    assert not same(tiny_run(SLUG, **settings)[0].generator, tiny_run(SLUG, **plain)[0].generator)


def test_settings_of_regression_are_refused_elsewhere():
    for wrong in ({"beta": 1.0}, {"objective": "rwr", "imitation": 0.2}, {"objective": "awr", "imitation": 1.0},
                  {"objective": "awr", "beta": 0.0}, {"objective": "awr", "mle_first": 0.5}):  # fmt: skip
        with pytest.raises(BadValue):
            Config(**wrong)
