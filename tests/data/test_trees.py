"""A search tree on disk and on a page."""

import json
from html import escape

from operant.data.texts import dump, load, show
from operant.data.trees import Tree
from operant.schema import Answer


def leaf(text, *, chosen=False, value=0.5):
    return Tree(text=text, value=value, visits=1, chosen=chosen)


TREE = Tree(
    text="", value=0.25, visits=4, chosen=True, left_out=3,
    following=(leaf("3 + 4 = 7 ."), Tree(text="so 7 .", value=0.75, visits=2, chosen=True,
                                        following=(leaf("<script>", chosen=True, value=1.0),))),
)  # fmt: skip


def test_a_tree_survives_the_disk_with_its_answer():
    answer = Answer(value="so 7 .", trace=TREE)
    assert load(json.loads(json.dumps(dump(answer)))) == answer
    assert [one.text for one in TREE] == ["", "3 + 4 = 7 .", "so 7 .", "<script>"]


def test_a_tree_is_drawn_as_text_and_lines():
    shown = show(Answer(value="so 7 .", trace=TREE))
    assert "search tree: 4 places, 3 more not drawn" in shown
    assert "<script" not in shown and "&lt;script&gt;" in shown
    assert shown.count("<circle") == 4 and shown.count("<path") == 3
    assert shown.count('font-weight="bold"') == 3  # the way to the answer, root included
    assert escape("3 + 4 = 7 . (value 0.50, 1 visits)") in shown
    # two leaves, so two rows of 18; three levels of 190
    assert 'width="570" height="36"' in shown


def test_a_long_step_is_cut_on_the_drawing_and_whole_beside_it():
    shown = show(Answer(value="a", trace=leaf("x" * 50)))
    assert f">{'x' * 29}…<" in shown and f"{'x' * 50} (value" in shown
