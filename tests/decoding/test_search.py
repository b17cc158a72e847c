"""One search, three ways: on trees small enough to be looked through by eye."""

from itertools import product
from math import inf, log, sqrt

import pytest

from operant.decoding.search import (
    Node,
    beam,
    best,
    best_first,
    max_backup,
    mean_backup,
    search,
    upper_confidence,
    within,
)
from operant.errors import BadValue
from operant.meter import charge, metered

DEPTH = 4


def weigh(word: str) -> float:
    """a is worth 2 and b 1, but what begins with b earns 10 at the end: greedy goes wrong."""
    return sum({"a": 2, "b": 1}[letter] for letter in word) + (10 if len(word) == DEPTH and word[0] == "b" else 0)


def letters(nodes):
    return [[(node.item + letter, len(node.item) + 1 == DEPTH) for letter in "ab"] for node in nodes]


def grown(select, evaluate=lambda nodes: [weigh(node.item) for node in nodes], **more) -> Node:
    root = Node("")
    search([root], select=select, expand=letters, evaluate=evaluate, **more)
    return root


def test_a_beam_as_wide_as_the_tree_finds_the_best_and_a_narrow_one_is_greedy():
    assert best(grown(beam(1))).item == "aaaa"
    assert best(grown(beam(2**DEPTH))).item == max(map("".join, product("ab", repeat=DEPTH)), key=weigh) == "baaa"


def test_a_beam_keeps_its_width():
    root = grown(beam(2))
    levels = [[node] for node in [root]]
    while levels[-1]:
        levels.append([child for node in levels[-1] for child in node.children])
    expanded = [sum(bool(node.children) for node in level) for level in levels]
    assert expanded == [1, 2, 2, 2, 0, 0]


def test_what_has_ended_keeps_its_place_in_a_beam():
    follows = {"": [("a", True), ("b", False)], "b": [("bb", False)], "bb": [("bbb", True)]}
    values = {"a": 3, "b": 2, "bb": 1, "bbb": 0}
    root = Node("")
    search(
        [root], select=beam(2), expand=lambda nodes: [follows[node.item] for node in nodes],
        evaluate=lambda nodes: [values[node.item] for node in nodes],
    )  # fmt: skip
    assert best(root).item == "a"
    assert {node.item for node in root.leaves()} == {"a", "bbb"}


def test_best_first_with_values_that_never_underrate_finds_the_best_and_stops():
    # What may still come at most: 2 a letter, and 10 where the first letter is b.
    def hopeful(nodes):
        return [weigh(one.item) + (2 * (DEPTH - len(one.item)) + 10 * (one.item[0] == "b")) * (len(one.item) < DEPTH)
                for one in nodes]  # fmt: skip

    root = grown(best_first, hopeful)
    assert best(root).item == "baaa"
    # The root, then b, ba and baa: nothing that begins with a is worth a look.
    assert [node.item for node in root.leaves()] == ["a", "baaa", "baab", "bab", "bb"]


def test_monte_carlo_goes_on_until_its_budget_and_prefers_what_pays():
    root = Node("")
    left = iter(range(200))
    search(
        [root], select=upper_confidence(10.0), expand=lambda nodes: [
            follow if not node.ended else [] for node, follow in zip(nodes, letters(nodes), strict=True)
        ],
        evaluate=lambda nodes: [weigh(node.item) for node in nodes], backup=mean_backup,
        go_on=lambda: next(left, None) is not None,
    )  # fmt: skip
    assert root.visits == 200 == sum(child.visits for child in root.children) + 1
    assert max(root.children, key=lambda child: child.visits).item == "b"
    assert best(root).item == "baaa"


def test_confidence_by_hand():
    # N = 5; the first child: 0.5 + 1 sqrt(2 ln 5 / 4), the second: 0.2 + 1 sqrt(2 ln 5 / 1)
    root = Node("", visits=5, children=[Node("x", value=0.5, visits=4), Node("y", value=0.2, visits=1)])
    assert 0.5 + sqrt(2 * log(5) / 4) < 0.2 + sqrt(2 * log(5))
    assert [node.item for node in upper_confidence(1.0)([root])] == ["y"]
    assert [node.item for node in upper_confidence(0.0)([root])] == ["x"]
    root.children.append(Node("z", value=-9.0))
    assert [node.item for node in upper_confidence(0.0, unseen=inf)([root])] == ["z"]
    assert [node.item for node in upper_confidence(0.0, unseen=1.0)([root])] == ["x"]  # -9 + 1 < 0.5


def test_backups_by_hand():
    # ReST-MCTS*: children (V, N) = (0.6, 2), (0.3, 1) -> (2 0.6 + 1 0.3) / 3 = 0.5
    def parent() -> Node:
        root = Node("", visits=3)
        node = Node("n", root, children=[Node("x", value=0.6, visits=2), Node("y", value=0.3, visits=1)])
        root.children = [node]
        return node

    mean, most = parent(), parent()
    mean_backup(mean)
    max_backup(most)
    assert mean.value == pytest.approx(0.5) and most.value == 0.6
    assert mean.visits == most.visits == 1
    assert mean.parent.visits == most.parent.visits == 4
    assert mean.parent.value == pytest.approx(0.5) and most.parent.value == 0.6


def test_trees_grow_together():
    roots = [Node(""), Node("b")]
    asked = []

    def expand(nodes):
        asked.append([node.item for node in nodes])
        return letters(nodes)

    search(roots, select=beam(1), expand=expand, evaluate=lambda nodes: [weigh(node.item) for node in nodes])
    assert [best(root).item for root in roots] == ["aaaa", "baaa"]
    assert asked == [["", "b"], ["a", "ba"], ["aa", "baa"], ["aaa"]]


def test_a_budget_of_the_meter():
    def spend(nodes):
        charge(sampled_tokens=10.0 * len(nodes))
        return [weigh(node.item) for node in nodes]

    with metered() as cost:
        charge(sampled_tokens=1000)  # before the search: not its own
        grown(beam(8), spend, go_on=within(sampled_tokens=35))
    # 2 nodes, 20 tokens; 4 nodes, 60 in all: then there is nothing left
    assert cost.sampled_tokens == 1060


def test_a_beam_of_nothing_is_refused():
    with pytest.raises(BadValue, match="width is 0"):
        beam(0)
