"""Every layout that we read: the columns that make it, and what they are called in files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from operant.data.records import Kind

Names = Mapping[str, tuple[str, ...]]  # our name for a column: the names that files use for it
Style = Literal["plain", "alpaca", "sharegpt"]  # how a prompt or dialogue is put together from its columns


@dataclass(frozen=True, slots=True)
class Layout:
    """A kind of row: our names for its columns, each with the names that files use for it."""

    name: str
    kind: Kind
    needs: Names
    optional: Names
    style: Style


OurNames: TypeAlias = dict[str, tuple[str, ...]]


def _same(*names: str) -> OurNames:
    return {name: (name,) for name in names}


SPLIT = _same("split")
SOURCE = _same("source")
OPTIONAL: dict[Kind, Names] = {
    "preference": _same("margin", "baseline")
    | {
        "score_chosen": ("score_chosen", "chosen_score", "chosen_rating"),
        "score_rejected": ("score_rejected", "rejected_score", "rejected_rating"),
    },
    "ratings": {"rater": ("rater_id", "rater")},
    "prompt_target": {"choices": ("choices", "multiple_choice_targets")},
    "text": SOURCE,
    "scored_text": SOURCE,
}
TURNS: Names = {"input": ("input", "context"), "system": ("system", "system_prompt"), "history": ("history",)}
SYSTEM: Names = {"system": ("system",)}


def _layout(name: str, kind: Kind, needs: Names, *, style: Style = "plain", more: Names | None = None) -> Layout:
    return Layout(name, kind, needs, {**SPLIT, **OPTIONAL.get(kind, {}), **(more or {})}, style)


INSTRUCTION: OurNames = {"prompt": ("instruction",)}
OUTPUT: OurNames = {"completion": ("output", "response")}
PAIR = _same("chosen", "rejected")
TALK = _same("conversations")
TAG: OurNames = {"label": ("kto_tag",)}
UNPAIRED = _layout("prompt, completion, label", "unpaired", _same("prompt", "completion", "label"))

# The first layout that fits a row is that row's layout: those that say more come first.
LAYOUTS = (
    _layout(
        "AlpacaEval",
        "preference",
        {**INSTRUCTION, "answer_1": ("output_1",), "answer_2": ("output_2",), "verdict": ("preference",)},
    ),
    _layout(
        "prompt, answer_1, answer_2, verdict",
        "preference",
        _same("prompt", "answer_1", "answer_2") | {"verdict": ("verdict", "label")},
    ),
    _layout(
        "HelpSteer2",
        "preference",
        _same("prompt")
        | {"answer_1": ("response_1",), "answer_2": ("response_2",), "strength": ("preference_strength",)},
        more=_same("score_1", "score_2"),
    ),
    _layout("prompt, chosen, rejected", "preference", _same("prompt") | PAIR),
    _layout("LLaMA-Factory alpaca, preference", "preference", INSTRUCTION | PAIR, style="alpaca", more=TURNS),
    _layout("LLaMA-Factory sharegpt, preference", "preference", TALK | PAIR, style="sharegpt", more=SYSTEM),
    _layout("chosen, rejected", "preference", PAIR),
    _layout("prompt, completions, labels", "stepwise", _same("prompt", "completions", "labels")),
    _layout("prompt, completions, scores", "ratings", _same("prompt", "completions", "scores")),
    UNPAIRED,
    _layout("prompt, completion", "prompt_completion", _same("prompt", "completion")),
    _layout("messages", "messages", _same("messages")),
    _layout("prompt, target", "prompt_target", _same("prompt") | {"target": ("target", "targets")}),
    _layout(
        "verl",
        "prompt_only",
        _same("prompt") | {"source": ("data_source",), "target": ("reward_model.ground_truth",)},
        more={"split": ("split", "extra_info.split")},
    ),
    _layout("prompt", "prompt_only", _same("prompt")),
    _layout("LLaMA-Factory sharegpt, KTO", "unpaired", TALK | TAG, style="sharegpt", more=SYSTEM),
    _layout("LLaMA-Factory sharegpt", "messages", TALK, style="sharegpt", more=SYSTEM),
    _layout("LLaMA-Factory alpaca, KTO", "unpaired", INSTRUCTION | OUTPUT | TAG, style="alpaca", more=TURNS),
    _layout("LLaMA-Factory alpaca", "prompt_completion", INSTRUCTION | OUTPUT, style="alpaca", more=TURNS),
    _layout(
        "OpenRLHF: question, response",
        "prompt_completion",
        {"prompt": ("question",), "completion": ("response",)},
        style="alpaca",
        more={"system": ("system_prompt", "system")},
    ),
    _layout("input, targets", "prompt_target", {"prompt": ("input", "inputs"), "target": ("targets", "target")}),
    _layout("OpenRLHF: input, output", "prompt_completion", {"prompt": ("input",), "completion": ("output",)}),
    _layout("question, answer", "prompt_target", {"prompt": ("question",), "target": ("answer",)}),
    _layout("OpenRLHF: context_messages", "prompt_only", {"prompt": ("context_messages",)}),
    _layout("texts, scores", "scored_text", _same("texts", "scores")),
    _layout("text", "text", _same("text")),
)
