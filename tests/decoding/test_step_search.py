"""The search over steps: by hand where it is a known thing, what it may spend, and what it answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tiny
from operant.decoding.search import Node
from operant.decoding.step_answers import Searching, drawn_within
from operant.decoding.step_search import Budget, Growing, StepSearch, Text, below, closing_ids, conclusion
from operant.engine.sampler import Sampled
from operant.errors import BadValue
from operant.meter import metered
from operant.models.small import word_tokenizer
from operant.models.text import encode_prompt
from operant.schema import Answer, Decoding, Score

PROMPTS = tiny.graded().prompts("test")[:3]
BUDGET = Budget(tokens=60, max_tokens=12)
HOW = Growing(step_tokens=4, temperature=1.0, forward=2)


def liking_a(prompts, answers):
    """The share of words that begin with a to e: what one step more changes."""
    assert len(prompts) == len(answers)
    shares = []
    for one in answers:
        words = str(one.value).split()
        shares.append(sum(word < "f" for word in words) / max(1, len(words)))
    return shares


def searched(how=HOW, budget=BUDGET, value=liking_a, prompts=PROMPTS, *, collecting=False, solved=None, seed=0):
    made = StepSearch(tiny.base(), value, how, budget, collecting=collecting, solved=solved)
    return made, made.grow(prompts, seed=seed)


def test_tokens_that_end_a_step():
    # "." stands apart, as a full stop does; "a." is a word with one in it
    tokenizer = word_tokenizer(["word", ".", "a.", "x"])
    ids = {tokenizer.convert_ids_to_tokens(one) for one in closing_ids(tokenizer, r"\n| \.")}
    assert ids == {"."}
    assert {tokenizer.convert_ids_to_tokens(one) for one in closing_ids(tokenizer, "x")} == {"x"}


def test_trees_keep_their_budget_and_count_it():
    with metered() as cost:
        made, trees = searched()
    # an iteration is 3 proposals and 2 steps of trying out, of 4 tokens at most: 20 of 60, so at least two fit
    assert HOW.iteration_tokens == (3 + 2) * 4
    for tree in trees:
        assert BUDGET.tokens - HOW.iteration_tokens < tree.tokens <= BUDGET.tokens
    assert sum(tree.tokens for tree in trees) <= cost.sampled_tokens <= 3 * BUDGET.tokens
    assert made.used == {one.id: tree.tokens for one, tree in zip(PROMPTS, trees, strict=True)}


def test_values_stay_between_0_and_1_and_steps_are_different():
    _, trees = searched(value=lambda prompts, answers: [7.0, -3.0, 0.4][: len(answers)] + [0.5] * (len(answers) - 3))
    for tree in trees:
        for node in [tree.root, *below(tree.root)]:
            assert 0 <= node.value <= 1
            steps = [one.item.tokens for one in node.children]
            assert len(steps) == len(set(steps)) <= HOW.branch


def test_greedy_steps_where_nothing_is_compared():
    """One proposal, no confidence, no trying out, greedy tokens: the base's own greedy answer."""
    how = Growing(branch=1, explore=0.0, alpha=0.0, forward=0, temperature=0.0, gate=2.0, retries=0, step_tokens=4,
                  pick="leaves")  # fmt: skip
    _, trees = searched(how, Budget(tokens=1000, max_tokens=8))
    greedy = tiny.base().answer(PROMPTS, n=1, decoding=Decoding(max_tokens=8, temperature=0.0), seed=0)
    # a step that was said before is no step, so a text that repeats itself ends there
    for tree, (one,) in zip(trees, greedy, strict=True):
        assert one.tokens[: len(tree.answer.tokens)] == tree.answer.tokens and len(tree.answer.tokens) >= 4


def test_one_level_without_trying_out_is_the_best_of_the_proposals():
    how = Growing(branch=6, forward=0, step_tokens=5, iterations=1, temperature=1.0)
    _, trees = searched(how, Budget(tokens=30, max_tokens=5))
    for prompt, tree in zip(PROMPTS, trees, strict=True):
        answers = [Answer(value=tiny.base().tokenizer.decode(node.item.tokens)) for node in tree.root.children]
        assert max(liking_a([prompt] * len(answers), answers)) == pytest.approx(
            liking_a([prompt], [tree.answer])[0]
        )  # fmt: skip


def test_an_unfinished_text_is_finished_greedily_out_of_the_same_tokens():
    how = Growing(branch=2, forward=0, step_tokens=3, temperature=1.0, finish=True)
    plain = searched(replace(how, finish=False), Budget(tokens=30, max_tokens=10, spare=10))[1]
    whole = searched(how, Budget(tokens=30, max_tokens=10, spare=10))[1]
    for prompt, short, tree in zip(PROMPTS, plain, whole, strict=True):
        assert tree.tokens <= 30 and (tree.answer.finish == "stop" or len(tree.answer.tokens) == 10)
        assert tree.answer.tokens[: len(short.answer.tokens)] == short.answer.tokens
        begun = replace(prompt, content=f"{prompt.content} {short.answer.value}")
        (rest,) = tiny.base().answer([begun], n=1, decoding=Decoding(max_tokens=10, temperature=0.0), seed=0)[0]
        added = tree.answer.tokens[len(short.answer.tokens) :]
        assert added == rest.tokens[: len(added)]


def test_trying_out_is_mixed_in_and_is_a_visit():
    values = iter([[0.2, 0.6], [0.9], [0.5]])  # two children; the better one's next two steps
    how = Growing(branch=2, forward=2, alpha=0.25, step_tokens=4, iterations=1, temperature=1.0)
    _, (tree,) = searched(how, Budget(tokens=20, max_tokens=40), lambda *_: next(values), PROMPTS[:1])
    low, high = tree.root.children
    assert (low.value, low.visits) == (0.2, 0)
    assert (high.value, high.visits) == (pytest.approx(0.75 * 0.6 + 0.25 * 0.9), 1)
    assert tree.root.value == high.value and tree.root.visits == 1


def test_a_leaf_that_looks_solved_ends_the_search_unless_trees_are_collected():
    def sure(prompts, answers):
        assert len(prompts) == len(answers)
        return [0.95] * len(answers)

    _, trees = searched(value=sure)
    assert all(len(tree.root.children) and tree.root.visits == 1 for tree in trees)
    _, collected = searched(value=sure, collecting=True)
    assert all(tree.root.visits > 1 and any(node.ended for node in below(tree.root)) for tree in collected)


def test_a_critique_ends_a_text():
    asked = []

    def solved(prompts, answers):
        asked.extend(answers)
        return [True] * len(prompts)

    _, trees = searched(solved=solved)
    # the roots are asked about too, and are no solution; every text after them is
    assert asked and all(node.ended for tree in trees for node in below(tree.root) if node.visits > 1)


def test_a_text_that_only_repeats_itself_has_ended(monkeypatch):
    made = StepSearch(tiny.base(), liking_a, HOW, BUDGET)
    word = next(one for one in range(4, 40) if len(tiny.base().tokenizer.decode([one])) > 2)
    same = Sampled((word,), None, stopped=False)
    monkeypatch.setattr(made, "_drawn", lambda texts, count, _: [[same] * count for _ in texts])
    (tree,) = made.grow(PROMPTS[:1], seed=0)
    # three times the same step is one child; behind it the step was said before
    (child,) = tree.root.children
    assert child.ended and not child.children


def picking(pick, *leaves):
    """(last step, value) of leaves that ended, below one node each of value 0.3."""
    made = StepSearch(tiny.base(), liking_a, Growing(pick=pick), BUDGET)
    vocabulary = tiny.base().tokenizer.get_vocab()
    words = sorted(word for word in vocabulary if word.isalpha())[:4]
    ids = {name: vocabulary[word] for name, word in zip("abcd", words, strict=True)}
    root = Node(Text(PROMPTS[0], encode_prompt(tiny.base().tokenizer, PROMPTS[0]), (), 0))
    for name, value in leaves:
        root.children.append(Node(root.item._replace(tokens=(ids[name],), steps=1), root, value=value, ended=True))
    deep = Node(root.item._replace(tokens=(ids["d"],), steps=1), root, value=0.9)
    root.children.append(deep)
    return made.picked(root), root


def test_what_is_answered():
    # a 0.5, b 0.4 and 0.3, and a text of 0.9 that has not ended
    leaves = (("a", 0.5), ("b", 0.4), ("b", 0.3))
    for pick, value in (("value", 0.9), ("leaves", 0.5), ("weighted", 0.4)):  # b has 0.7 together
        chosen, _ = picking(pick, *leaves)
        assert chosen.value == value, pick


def test_the_last_step_is_the_conclusion():
    assert conclusion("1 + 1 = 2 . answer  2", r"\n| \.") == "answer 2"
    assert conclusion("all in one", r"\n| \.") == "all in one"


class Words:
    """A scorer that likes early words."""

    def score(self, prompts, answers):
        return [Score(value=value) for value in liking_a(prompts, answers)]


@pytest.mark.parametrize("search", ["best-of-n", "majority"])
def test_whole_answers_at_the_same_tokens(search):
    made = Searching(tiny.base(), Words(), HOW, 60, search)
    pools = drawn_within(tiny.base(), PROMPTS, Budget(60, 12), seed=4)
    for many in pools:
        used = [len(one.tokens) for one in many]
        # another answer might not fit any more; before the last one it did
        assert sum(used) + 12 > 60 >= sum(used[:-1]) + 12
    answers = [many[0] for many in made.answer(PROMPTS, n=1, decoding=Decoding(max_tokens=12), seed=4)]
    if search == "best-of-n":
        again = [many[0] for many in made.answer(PROMPTS, n=1, decoding=Decoding(max_tokens=12), seed=4)]
        assert answers == again
        assert made._best(PROMPTS[0], pools[0]) == max(pools[0], key=lambda one: liking_a([None], [one])[0])
    else:
        many = [Answer(value=text) for text in ("x . answer 2", "y . answer 3", "z . answer 3")]
        assert made._voted(PROMPTS[0], many).value == "y . answer 3"


def test_other_seeds_search_otherwise_and_the_same_alike():
    texts = [[tree.answer.tokens for tree in searched(seed=seed)[1]] for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]


def test_more_tokens_are_a_point_of_the_same_search():
    made = Searching(tiny.base(), Words(), HOW, 60)
    assert [(point.knob, point.value) for point in made.points()] == [("tokens", 15.0), ("tokens", 60.0)]
    assert made.kl(tiny.base(), [], []).kind == "none"


@pytest.mark.parametrize("settings", [{"branch": 0}, {"alpha": 1.5}, {"explore": -1.0}, {"temperature": -1.0}])
def test_settings_outside_their_range_are_refused(settings):
    with pytest.raises(BadValue, match=next(iter(settings))):
        Growing(**settings)
