import json
import re

from make_sample import build


def test_sample_is_what_its_script_writes(sample):
    text = json.dumps(build(), ensure_ascii=False, sort_keys=True)
    text = re.sub(r"\d+\.\d{6,}(?!\d*e)", lambda number: f"{float(number[0]):.5g}", text)
    assert sample == json.loads(text)
    assert "invented" in sample["title"]
