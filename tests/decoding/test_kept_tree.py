"""What is kept of a tree: the way to the answer, then what was visited most."""

from operant.decoding.kept_tree import kept_tree
from operant.decoding.search import Node


def place(item, visits, *children):
    node = Node(item, visits=visits)
    node.children = list(children)
    for child in children:
        child.parent = node
    return node


def test_the_most_visited_places_are_kept_and_the_way_to_the_answer_always():
    #  a(6) - b(4) - d(3)     the answer begins with a and c
    #       \ c(1)  \ e(1)
    root = place("a", 6, place("b", 4, place("d", 3), place("e", 1)), place("c", 1))

    def told(node):
        return node.item, node.item in "ac"

    def names(tree):
        return tree.text, [names(one) for one in tree.following]

    assert names(kept_tree(root, told, most=5)) == ("a", [("b", [("d", []), ("e", [])]), ("c", [])])
    assert names(kept_tree(root, told, most=3)) == ("a", [("b", []), ("c", [])])
    made = kept_tree(root, told, most=2)
    assert names(made) == ("a", [("c", [])])
    assert (made.left_out, made.visits, made.chosen) == (3, 6, True)  # b and what is below it
    assert names(kept_tree(root, told, most=1)) == ("a", [])
