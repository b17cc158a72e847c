"""ReST-MCTS*: values of a tree by hand, what is mined from it, first values, and that each setting has an effect."""

from __future__ import annotations

import pytest
import torch

import tiny
from operant.decoding.search import Node
from operant.decoding.step_search import Growing
from operant.engine.policy import LanguageModel
from operant.errors import BadValue, NotApplicable
from operant.loops.given import given_solutions
from operant.loops.student import Student
from operant.meter import metered
from operant.methods.decode import rest_mcts
from operant.methods.decode.rest_mcts import Config, Trees, critic, doubted, tokens_of
from operant.methods.decode.rest_mcts.mining import ends, gold_targets, mined, quality, traces, wrong_target
from operant.methods.decode.rest_mcts.values import ValueModel, first_values
from operant.models.text import decode
from operant.rewards.model import RewardModel
from operant.schema import Answer, Prompt, Score


def test_quality_by_hand():
    # a right path of 3 steps: 0 + 1/3, 1/3 + (2/3)/2, 2/3 + (1/3)/1
    path = [0.0]
    for distance in (2, 1, 0):
        path.append(quality(path[-1], distance=distance, wrong=False))
    assert path == pytest.approx([0, 1 / 3, 2 / 3, 1])
    # a wrong second step below the first (count 3): 1/3 - (2/3)/3; a wrong first step (count 4): 0 - 1/4, at least 0
    assert quality(1 / 3, distance=2, wrong=True) == pytest.approx(1 / 9)
    assert quality(0.0, distance=3, wrong=True) == 0.0
    # nothing more is needed from 0.4: it is the answer
    assert quality(0.4, distance=0, wrong=False) == pytest.approx(1.0)
    for before in (0.0, 0.3, 1.0):
        for distance in range(5):
            assert all(0 <= quality(before, distance=distance, wrong=wrong) <= 1 for wrong in (True, False))


def test_first_targets_by_hand():
    assert gold_targets(5)[1] == pytest.approx(0.4) and gold_targets(5)[-1] == 1.0
    assert wrong_target(3, 5) == pytest.approx(0.2) and wrong_target(1, 5) == wrong_target(2, 5) == 0.0


def tree(layout):
    """{name: (parent, value, ended)} as nodes by name; "" is the root."""
    nodes = {"": Node("")}
    for name, (parent, value, ended) in layout.items():
        nodes[name] = Node(name, nodes[parent], value=value, ended=ended)
        nodes[parent].children.append(nodes[name])
    return nodes


LAYOUT = {
    "a": ("", 0.5, False), "b": ("", 0.4, False),  # first steps
    "aa": ("a", 0.6, False), "ab": ("a", 0.2, False), "ba": ("b", 0.2, False),
    "aaa": ("aa", 0.7, True), "aba": ("ab", 0.3, True), "baa": ("ba", 0.1, True), "aab": ("aa", 0.1, False),
}  # fmt: skip


def test_a_tree_is_mined_by_hand():
    nodes = tree(LAYOUT)
    right = {nodes["aaa"]}
    found = {node.item: value for node, value in mined(nodes[""], right.__contains__, gate=0.9)}
    # counts: aaa 1, aa 2, a 3, root 4. b and what is below it count 4, ab and aba 3; aab is no end and says nothing
    a, aa = 1 / 3, 2 / 3
    ab = a - (1 - a) / 3
    want = {"a": a, "aa": aa, "aaa": 1.0, "ab": ab, "aba": max(0.0, ab - (1 - ab) / 3), "b": 0.0, "ba": 0.0, "baa": 0.0}
    assert found == pytest.approx(want)


def test_the_nearest_right_end_counts():
    # a is one step from an answer by aa and two by ab: its count is 2
    nodes = tree({"a": ("", 0, False), "aa": ("a", 0, True), "ab": ("a", 0, False), "aba": ("ab", 0, True)})
    right = {nodes["aa"], nodes["aba"]}
    found = {node.item: value for node, value in mined(nodes[""], right.__contains__, gate=2.0)}
    assert found["a"] == pytest.approx(1 / 2)  # root 3, a 2: 0 + 1/2
    assert found["aa"] == found["aba"] == 1.0


def test_a_tree_without_a_right_end_says_nothing():
    nodes = tree(LAYOUT)
    assert mined(nodes[""], lambda _: False, gate=0.9) == []
    assert traces(nodes[""], lambda _: False, gate=0.9, every=True) == []


def test_ends_are_leaves_that_ended_or_look_solved():
    nodes = tree(LAYOUT)
    assert [one.item for one in ends(nodes[""], gate=0.9)] == ["aaa", "aba", "baa"]
    assert [one.item for one in ends(nodes[""], gate=0.1)] == ["aaa", "aab", "aba", "baa"]


def test_all_right_ways_are_imitated_or_the_best():
    nodes = tree(LAYOUT)
    right = {nodes["aaa"], nodes["aba"]}
    assert [one.item for one in traces(nodes[""], right.__contains__, gate=0.9, every=True)] == ["aaa", "aba"]
    assert [one.item for one in traces(nodes[""], right.__contains__, gate=0.9, every=False)] == ["aaa"]


SETTINGS = {"n": 4, "step_tokens": 4, "max_tokens": 6}


def test_first_values_are_prefixes_of_given_solutions_and_wrong_steps_behind_them(tiny_bench):
    bench, tokenizer = tiny_bench(epochs=30), tiny.base().tokenizer
    config = tiny.config("rest-mcts", **SETTINGS)
    found = first_values(config, bench)
    given = {str(answer.value) for answer in given_solutions(bench).values()}
    whole = [decode(tokenizer, one.row.answer) for one in found if one.value == 1.0]
    assert set(whole) == given
    right = [one for one in found if any(text.startswith(decode(tokenizer, one.row.answer)) for text in given)]
    wrong = [one for one in found if one not in right]
    assert wrong and all(0 <= one.value < 1 for one in wrong)


def test_without_solutions_it_says_so(tiny_bench):
    bench = tiny_bench()
    bench.task.pairs = bench.task.judged = lambda *_: []
    with pytest.raises(NotApplicable, match="no prompt comes with a solution"):
        first_values(tiny.config("rest-mcts"), bench)


def test_the_value_model_learns_its_targets(tiny_bench):
    bench = tiny_bench(epochs=200)
    config = tiny.config("rest-mcts", **SETTINGS, learning_rate=1e-3, value_epochs=8)
    value, items = ValueModel(config, bench), first_values(config, bench)

    def error():
        from operant.engine.reward import all_rewards

        told = all_rewards(value.head.module, bench.base.tokenizer, [one.row for one in items])
        return sum((a - one.value) ** 2 for a, one in zip(told, items, strict=True)) / len(items)

    before = error()
    value.fit(items, share=0.5)
    after = error()
    value.fit(items, share=0.5)
    assert error() < after < before / 2
    assert value.model.scale == "raw"  # a regression


def test_a_value_model_may_be_given(tiny_bench, tmp_path):
    bench = tiny_bench(epochs=30)
    ValueModel(tiny.config("rest-mcts"), bench).model.save(tmp_path / "value")
    made = rest_mcts.run(tiny.config("rest-mcts", **SETTINGS, value=str(tmp_path / "value"), trains=False), bench)
    assert isinstance(made.own_reward, RewardModel) and made.generator.policy is bench.base


def trees_of(config, bench):
    return Trees(config, bench, ValueModel(config, bench), tokens_of(config, bench))


def test_right_ways_are_imitated_and_none_but_those(tiny_bench, monkeypatch):
    """A verifier that likes one first word: all that is learnt begins with it."""
    bench = tiny_bench(epochs=60)
    monkeypatch.setattr(
        bench.task, "verify",
        lambda prompts, answers: [Score(value=float(str(one.value)[:1] < "k")) for one in answers],
    )  # fmt: skip
    trees = trees_of(tiny.config("rest-mcts", **{**SETTINGS, "n": 30}), bench)
    rows = trees(rest_mcts.Turn(0, 1, Student(bench), 3e8))
    assert rows and all(decode(bench.base.tokenizer, row.answer).strip()[:1] < "k" for row in rows)
    assert all(row.answer[-1] == bench.base.tokenizer.eos_token_id for row in rows)  # whole answers
    assert trees.value.fits == 1
    (told,) = trees.findings
    assert 0 < told.effect <= 1


def test_what_searching_leaves_of_an_allowance_trains_the_value_model(tiny_bench, monkeypatch):
    """Searching stops at its part of the allowance, between two prompts; the rest is the value model's share."""
    monkeypatch.setattr(rest_mcts, "CHUNK", 1)
    told = []
    for again in (0.1, 0.9):
        bench = tiny_bench(epochs=60)
        trees = trees_of(tiny.config("rest-mcts", **{**SETTINGS, "n": 30}, value_again=again), bench)
        monkeypatch.setattr(trees, "_right", lambda _, tree: set(tree.root.leaves()))
        monkeypatch.setattr(trees.value, "affords", lambda *_: True)
        monkeypatch.setattr(trees.value, "fit", lambda items, *, share: told.append((len(items), share)))
        with metered():
            trees(rest_mcts.Turn(0, 1, Student(bench), 1e8))
    (many, little), (few, much) = told
    assert few < many and little < much


def test_in_restem_right_answers_are_imitated_and_values_stay(tiny_bench):
    bench = tiny_bench(epochs=60)
    trees = trees_of(tiny.config("rest-mcts", **SETTINGS, mining="answers"), bench)
    assert trees(rest_mcts.Turn(0, 1, Student(bench), 3e8)) and trees.value.fits == 0


def test_a_search_takes_the_tokens_of_n_answers(tiny_bench):
    bench = tiny_bench()
    pools = bench.pool(bench.task.prompts("train"), 1)
    mean = sum(len(one.tokens) for many in pools for one in many) / len(pools)
    assert tokens_of(tiny.config("rest-mcts", n=10), bench) == round(10 * mean)


def test_the_critique_asks_in_words(monkeypatch):
    asked = []

    class Model(LanguageModel):
        def __init__(self):
            pass

        def logps(self, prompts, answers):
            asked.append((prompts[0].content, answers[0].value))
            return [(-1.0,), (-2.0,)] if answers[0].value == " yes" else [(-1.5,), (-1.5,)]

    prompts = [Prompt(id="p", content="what is 1 + 1 ?")] * 2
    assert critic(Model())(prompts, [Answer(value="so 2"), Answer(value="so 3")]) == [True, False]
    assert [word for _, word in asked] == [" yes", " no"]
    assert asked[0][0] == doubted(prompts[0], "so 2").content
    assert "what is 1 + 1 ?" in asked[0][0] and "so 2" in asked[0][0]


def flat(products):
    """The policy, the value model, and what a search may take."""
    nets = (products.generator.policy.module, products.own_reward.head)
    weights = [weight.detach().flatten() for net in nets for weight in net.parameters()]
    return torch.cat([*weights, torch.tensor([float(products.generator.tokens)])])


@pytest.mark.parametrize(
    "settings",
    [
        {"n": 2}, {"branch": 2}, {"forward": 0}, {"temperature": 0.5}, {"rounds": 1}, {"mining": "answers"},
        {"value_share": 0.6}, {"value_rate": 100.0}, {"step_tokens": 3}, {"steps": 1}, {"optimiser": "kept"},
        {"step_end": "e"}, {"value_epochs": 1},
    ],
)  # fmt: skip
def test_each_setting_of_training_has_an_effect(settings, tiny_bench):
    told = {**SETTINGS, "n": 12, "learning_rate": 3e-3}
    other = rest_mcts.run(tiny.config("rest-mcts", **{**told, **settings}), tiny_bench(epochs=8))
    assert not torch.equal(flat(tiny.once("rest-mcts", epochs=8, **told)), flat(other))


def test_the_search_hands_its_settings_on():
    told = {"branch": 5, "gate": 0.8, "pick": "weighted", "explore": 0.4, "alpha": 0.1, "unseen": 0.8, "finish": True}
    assert Config(**told).growing == Growing(**told)


@pytest.mark.parametrize(
    "settings, name",
    [
        ({"n": 0}, "n"), ({"value_share": 1.0}, "value_share"), ({"value_rate": 0.0}, "value_rate"),
        ({"trains": False, "traces": "best"}, "traces"), ({"branch": 0}, "branch"), ({"rounds": 0}, "rounds"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(settings, name):
    with pytest.raises(BadValue, match=name):
        Config(**settings)
