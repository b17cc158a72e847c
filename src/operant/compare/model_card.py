"""The README.md beside every saved model: what made it, from what, and how it is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from operant.card import Card
from operant.disk import write_text
from operant.models.adapters import is_adapter

LOADING = {
    "adapter": "from peft import AutoPeftModelForCausalLM\n\nmodel = AutoPeftModelForCausalLM.from_pretrained(PATH)",
    "reward adapter": "from pathlib import Path\n\nfrom operant.rewards.model import RewardModel\n\n"
    "scorer = RewardModel.load(Path(PATH))",
    "reward": "from transformers import AutoModelForSequenceClassification\n\n"
    "model = AutoModelForSequenceClassification.from_pretrained(PATH)",
    "policy": "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
    "model = AutoModelForCausalLM.from_pretrained(PATH)\ntokenizer = AutoTokenizer.from_pretrained(PATH)",
    "parts": "from pathlib import Path\n\nfrom operant.compare.products import load_generator\n\n"
    "generator = load_generator(Path(PATH).parent)",
    "scorer parts": "from pathlib import Path\n\nfrom operant.methods import load\n\n"
    "method = load(SLUG)  # base: the model named above, as an operant.engine.policy.LanguageModel\n"
    "scorer = method.load(method.config(), Path(PATH).parent, base).scorer",
}
LIBRARY = {"adapter": "peft", "reward adapter": "peft", "reward": "transformers", "policy": "transformers"}


def write_model_cards(directory: Path, about: dict[str, Any], card: Card) -> None:
    """A card in generator/ and scorer/, where they are."""
    for name in ("generator", "scorer"):
        if (directory / name).is_dir():
            write_text(directory / name / "README.md", model_card(directory / name, about, card))


def model_card(part: Path, about: dict[str, Any], card: Card) -> str:
    """Markdown with the front matter that the Hugging Face hub reads."""
    kind = kind_of(part)
    settings = "\n".join(f"- {name}: {json.dumps(value)}" for name, value in about["config"].items())
    source = (
        f"[{card.paper}](https://arxiv.org/abs/{card.paper[6:]})" if card.paper.startswith("arXiv:") else card.paper
    )
    differs = "".join(f"\n- {line}" for line in card.differs)
    return f"""---
library_name: {LIBRARY.get(kind, "operant")}
base_model: {json.dumps(about["base"])}
tags: [operant, {card.slug}]
---

# {card.title}

Made by `operant` {about["version"]} with the method `{about["row"]}`{f", {source}" if source else ""}.

- base: `{about["base"]}`
- feedback: {about["feedback"]}
- seed: {about["seed"]}

## Settings

{settings or "none"}

## How to load it

```python
{LOADING[kind].replace("PATH", '"path/to/this/directory"').replace("SLUG", repr(card.slug))}
```
{f"{chr(10)}## What differs from the paper{chr(10)}{differs}{chr(10)}" if differs else ""}
What it does to answers is not said here: it depends on the task. Compare it with `operant compare`.
"""


def kind_of(part: Path) -> str:
    """An adapter, a reward model, a policy, or parts that only operant puts together."""
    scores = part.name == "scorer"
    if is_adapter(part):
        return "reward adapter" if scores else "adapter"
    if not (part / "config.json").is_file() or (part / "conditioned.json").is_file() or (part / "goal.json").is_file():
        return "scorer parts" if scores else "parts"
    return "reward" if scores else "policy"
