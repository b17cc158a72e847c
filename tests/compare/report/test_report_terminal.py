import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from operant.compare.report import terminal


def printed(report, *, width=110, color=False):
    stream = StringIO()
    Console(file=stream, width=width, force_terminal=color, color_system="truecolor" if color else None).print(
        terminal(report, Path("out/report.html"))
    )
    return stream.getvalue()


def test_the_table_the_advice_and_the_path(sample):
    text = printed(sample, width=140)
    assert "0.642 ± 0.021" in text and "better by 0.165" in text and "≤ 1.84" in text and "1.4 TFLOP" in text
    assert "nash-md: failed: loss became NaN at step 112 of seed 3" in text
    assert "Best at equal cost: dpo" in text and "Report: out/report.html" in text


@pytest.mark.parametrize("width", [80, 110])
def test_it_fits_the_terminal(sample, width):
    lines = printed(sample, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert any(line.endswith("1.4 TFLOP") for line in lines)  # the last column is not cut


def test_hostile_strings_neither_steer_nor_link(poisoned):
    assert "\x1b" not in printed(poisoned) and "[link=evil]␛[31m" in printed(poisoned, width=200)
    coloured = printed(poisoned, width=200, color=True)
    assert "\u202e" not in coloured
    assert coloured.count("\x1b") == len(re.findall(r"\x1b\[[0-9;]*m", coloured))  # colours alone, and no hyperlink


def test_unknown_everywhere_still_renders(unknown):
    assert "None" not in printed(unknown)
