import re

from operant.compare.report.markdown import markdown, table


def test_hostile_strings_are_escaped_or_fenced(poisoned):
    text = markdown(poisoned)
    outside = re.sub(r"^(`{3,})text\n.*?^\1$", "", text, flags=re.S | re.M)
    assert "<img" not in outside and "\x1b" not in text and "\u202e" not in text
    assert not re.search(r"(?<!\\)!\[|(?<!\\)\]\(", outside)  # no image, no link
    assert "```\n# |" in text  # the prompt's own fence is shown inside a longer one


def test_every_row_of_a_table_has_as_many_cells(poisoned):
    tables = re.findall(r"(?:^\|.*\n)+", markdown(poisoned), re.M)
    assert len(tables) >= 9
    for each in tables:
        bars = {len(re.findall(r"(?<!\\)\|", row)) for row in each.splitlines()}
        assert len(bars) == 1


def test_a_table_by_hand():
    assert table(("a|b", "c"), [("1", "x\ny")]) == [r"| a\|b | c |", "| --- | --- |", "| 1 | x ⏎ y |"]
    assert table(("a",), []) == []


def test_the_result_in_words(sample):
    text = markdown(sample)
    assert "| best\\-of\\-n | 0\\.642 \\[0\\.621, 0\\.663\\] | better by 0\\.165 |" in text
    assert "failed: loss became NaN at step 112" in text
    assert "- **What not to trust.** transform\\-combine\\-rewards" in text


def test_unknown_everywhere_still_renders(unknown):
    assert "None" not in markdown(unknown) and "nan" not in markdown(unknown)
