import re
import time
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from operant.compare.report import render
from operant.compare.report.page import html


class Page(HTMLParser):
    """Which elements with which attributes a page has, its scripts, and its text."""

    def __init__(self, text):
        super().__init__()
        self.kinds, self.scripts, self.texts, self.policy, self.inside = set(), [], [], "", ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.inside = tag
        self.kinds |= {(tag, name) for name, _ in attrs} | {(tag, "")}
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"]
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside != "style":
            self.texts.append(data)


def words(text):
    return " ".join(" ".join(Page(text).texts).split())


def test_hostile_strings_add_no_element_attribute_or_script(sample, poisoned):
    clean, page = Page(html(sample)), Page(html(poisoned))
    assert page.kinds == clean.kinds  # </script><img onerror=…> everywhere, and the page is built of the same parts
    assert page.scripts == clean.scripts and len(page.scripts) == 1
    assert not {name for _, name in page.kinds if name.startswith("on")}
    assert "onerror=alert(1)" in " ".join(page.texts)  # it is there, as text


def test_nothing_steers_the_text(poisoned):
    text = html(poisoned)
    assert not set(re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]", text))
    assert "␛[31m‹U+202E›gnp␀" in text and "49{{" not in text


def test_the_policy_allows_our_script_and_no_network(sample):
    page = Page(html(sample))
    digest = b64encode(sha256(page.scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.policy
    assert page.policy.startswith("default-src 'none';") and "http" not in page.policy


def test_it_loads_nothing(sample):
    text = html(sample)
    assert not re.search(r"""(?:src|srcset|action|data)\s*=\s*["']|@import|url\((?!#)""", text)
    assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', text))
    assert "http" not in re.sub(r"<meta http-equiv", "", text)


def test_failures_keep_their_place_and_reason(sample):
    text = words(html(sample))
    assert "nash-md ✕ failed: loss became NaN at step 112 of seed 3" in text
    assert "not applicable: the task has no attributes with pairs of their own" in text


def test_no_detectable_difference_says_what_would_have_been_seen(sample):
    assert "no detectable difference 0.038 or more would have been seen" in words(html(sample))


def test_an_unknown_kl_says_why(sample):
    text = html(sample)
    assert 'title="a tree search has no log-probability of its answers">–' in text
    assert "≤ 1.84" in text and "≈ 6.83" in text and "= 0.00" in text


def test_figures_follow_the_page_s_colours(sample):
    figures = re.findall(r'<svg class="plot".*?</svg>', html(sample), re.S)
    assert len(figures) == 5 + 3 + 1 + 2  # curves, gold against cost, best of n, calibration
    assert not re.findall(r"#[0-9a-f]{6}\b", " ".join(figures))
    assert "font-family" not in " ".join(figures)


def test_unknown_everywhere_still_renders(unknown):
    text = words(html(unknown))
    assert "not comparable" in text and "Not drawn, since their KL is not known" in text
    assert "None" not in text and "nan" not in text


@pytest.mark.parametrize("empty", [None, "missing"])
def test_sections_without_content_are_left_out(sample, empty):
    kept = {name: sample[name] for name in ("format", "title", "task", "rows")}
    page = html(kept if empty == "missing" else dict.fromkeys(sample) | kept)
    assert re.findall(r'<section id="([a-z_]*)"', page) == ["result", "price", "seeds", "scorers", "metrics", "costs"]


def test_one_seed_speaks_of_this_seed_only(sample):
    sample["rows"] = [row for row in sample["rows"] if row["seed"] == 0]
    text = words(html(sample))
    assert "1 seed " in text and "an interval speaks of these seeds only" in text


def test_the_same_report_gives_the_same_bytes(sample, tmp_path):
    for folder in ("one", "two"):
        render(sample, tmp_path / folder)
    assert {file.name for file in (tmp_path / "one").iterdir()} == {"report.html", "report.md"}
    for name in ("report.html", "report.md"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_rendering_takes_under_three_seconds(sample, tmp_path):
    start = time.process_time()
    render(sample, tmp_path)
    assert time.process_time() - start < 3
