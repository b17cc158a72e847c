"""Pseudo-hints, made with the reference or the verifier at hand, and the policy that imitates them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from operant.engine.policy import LanguageModel
from operant.errors import NotApplicable, OperantError, require
from operant.loops.imitation import imitating_loss
from operant.meter import spent
from operant.methods.prompt.directional_stimulus.asking import Asking, Settings, weights
from operant.models.text import encode
from operant.prompting.edits import parts_of
from operant.prompting.hints import TRIGGERS, keywords
from operant.prompting.stimuli import ELEVEN, EMOTIONAL
from operant.schema import Answer, Bench, Prompt
from operant.training.budgeted import PolicyFit, Stage, fit_policy
from operant.training.pairs import pass_flops

SENTENCES = {"reasoning": TRIGGERS, "emotional": tuple(EMOTIONAL.text(name) for name in ELEVEN)}


def sentences(name: str) -> tuple[str, ...]:
    """A list of ours by its name, or emotional stimuli by their ids."""
    return SENTENCES[name] if name in SENTENCES else tuple(EMOTIONAL.text(one) for one in name.split("|"))


@dataclass(frozen=True, kw_only=True)
class Imitating(Settings):
    """And how the policy comes to write hints at all."""

    sentences: str = "reasoning"  # that are tried as triggers; or "emotional", or ids as EP02|EP04
    stage: Literal["rl", "sft"] = "rl"  # sft: imitation of pseudo-hints alone
    imitate: float = 0.2  # share of the budget for imitation
    sft_rate: float = 2e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.imitate < 1, "imitate", self.imitate, "between 0 and 1, a share of the budget")
        sentences(self.sentences)  # which refuses unknown names


def pseudo_hints(config: Imitating, bench: Bench, asking: Asking) -> list[tuple[Prompt, str]]:
    """What the policy imitates: given hints, keywords that text and reference share, or sentences that led to a right
    answer; of those as many prompts are tried as a quarter of what imitation may take pays for.
    """
    prompts = bench.task.prompts("train")
    given = [(prompt, str(prompt.columns["stimulus"])) for prompt in prompts if prompt.columns.get("stimulus")]
    if given:
        return given
    if config.stimuli == "keywords":
        made = [(prompt, keywords(text_of(prompt), asking.reference(prompt))) for prompt in prompts]
        found = [(prompt, f"{hint};") for prompt, hint in made if hint]
        if not found:
            raise NotApplicable(
                f"no prompt of {bench.task.name} shares a keyword with a reference; use stimuli=triggers"
            )
        return found
    return tried(config, bench, asking, prompts)


def text_of(prompt: Prompt) -> str:
    return " ".join(filter(None, parts_of(prompt)))


def tried(config: Imitating, bench: Bench, asking: Asking, prompts: Sequence[Prompt]) -> list[tuple[Prompt, str]]:
    """Sentences that led to right answers, prompt by prompt, one draw each."""
    room = config.imitate / 4 * bench.budget.plan(flops_per_step=1.0) if weights(bench.base) else float("inf")
    found: list[tuple[Prompt, str]] = []
    before = spent().flops
    once = replace(config, asked=1)
    trying = Asking(once, bench)
    for start in range(0, len(prompts), 8):
        if spent().flops - before > room:
            break
        some = prompts[start : start + 8]
        for sentence in sentences(config.sentences):
            values = trying.worth(some, [sentence] * len(some))
            found += [(one, sentence) for one, value in zip(some, values, strict=True) if (value or 0) > 0.5]
    if not found:
        raise OperantError(
            f"none of {len(sentences(config.sentences))} sentences led to a right answer; nothing to imitate"
        )
    assert asking is not None
    return found


def imitating(
    config: Imitating, bench: Bench, start: LanguageModel, rows: Sequence[tuple[Prompt, str]]
) -> LanguageModel:
    """SFT of the policy on pseudo-hints: it reads the prompt and writes the hint."""
    tokenizer = start.tokenizer
    texts = encode(tokenizer, [prompt for prompt, _ in rows], [Answer(value=hint) for _, hint in rows])
    kept = [row for row in texts if len(row.prompt) + len(row.answer) <= bench.max_length]
    require(kept, "pseudo-hints", f"{len(texts)} longer than max-length", f"some of at most {bench.max_length} tokens")

    loss = imitating_loss(pad=tokenizer.pad_token_id)
    share = 0.9 if config.stage == "sft" else config.imitate  # the rest compares hints afterwards
    settings = PolicyFit(learning_rate=config.sft_rate, points=0)
    return fit_policy(bench, kept, loss, settings, pass_flops, stage=Stage(name="imitate", share=share, start=start))
