"""Directional stimulus prompting (Li et al. 2023): a small policy writes hints; the model is untouched.

The policy first imitates pseudo-hints: keywords of the text that the reference has too, or sentences behind which the
model's answer was right. Then it learns from how good the model's answers are behind its own hints.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from operant.card import Card, Claim, Method
from operant.disk import answer_seed
from operant.engine.policy import LanguageModel, loading_of, open_model
from operant.errors import NotApplicable, OperantError, require
from operant.loops.adaptive_kl import AdaptiveKL
from operant.loops.policy_gradient import policy_gradient
from operant.loops.rounds import Learnt, Recipe, answerwise
from operant.methods.prompt.directional_stimulus.asking import Asking, Judging, weights
from operant.methods.prompt.directional_stimulus.imitation import Imitating, imitating, pseudo_hints, text_of
from operant.models.text import encode
from operant.objectives.advantage import leave_one_out
from operant.objectives.policy_gradient import ppo_loss
from operant.objectives.reduction import answer_mean
from operant.probes.findings import Probed, probed
from operant.prompting.hinted import Hinted
from operant.prompting.hints import keywords
from operant.schema import Answer, Bench, Decoding, Policy, Products
from operant.stats.crossed import over_items
from operant.training.budgeted import Stage

MEASURED = 40  # validation prompts on which hints are compared
CLIP = 0.2


@dataclass(frozen=True, kw_only=True)
class Config(Imitating):
    policy: str = ""  # a model directory to start from; "" is the base itself
    kl: float = 0.005  # weight of the KL to the imitating policy at the beginning; 0: none
    kl_target: float = 0.5  # nats a hint, which the weight follows
    learning_rate: float = 2e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.kl >= 0, "kl", self.kl, "0 or more")
        require(self.kl_target > 0, "kl_target", self.kl_target, "above 0")


def hinted(config: Config, policy: Any, base: Any) -> Hinted:
    return Hinted(policy, base, place=config.place, label=config.label, tokens=config.max_tokens)


def hint_loss(one: Learnt, beta: float) -> Tensor:
    """[hints] PPO's loss; of each token counts the hint's reward above that of the prompt's other hints, less beta
    times the KL to the imitating policy from that token on.
    """
    gaps = ((one.old - one.reference) * one.mask).flip(1).cumsum(1).flip(1)
    worth = (one.advantages.unsqueeze(1) - beta * gaps) * one.mask
    return ppo_loss(one.logps, one.old, one.mask, worth, low=CLIP, high=CLIP, reduce=answer_mean)


def run(config: Config, bench: Bench) -> Products:
    asking = Asking(config, bench)
    start: Any = open_model(config.policy, loading_of(bench.base)) if config.policy else bench.base
    if not weights(start):
        raise NotApplicable("a model behind an endpoint cannot learn to write hints; name a small one, policy=DIR")
    rows = pseudo_hints(config, bench, asking)
    sft = imitating(config, bench, start, rows)
    policy, learnt = sft, None
    if config.stage == "rl":
        learnt = AdaptiveKL(config.kl, config.kl_target, bench.dir / "kl")
        policy = reinforced(config, bench, asking, sft, learnt)
    findings = compared(config, bench, asking, {"sft hint": sft, "rl hint": policy if learnt else None})
    if learnt is not None and len(learnt.kls) > 1:
        last = over_items(learnt.kls[-max(2, len(learnt.kls) // 4) :])
        findings.append(
            probed("kl", "KL of hints to the imitating policy in the last rounds", last, unit="nats a hint")
        )
    return Products(generator=hinted(config, policy, bench.base), findings=tuple(findings))


def reinforced(
    config: Config, bench: Bench, asking: Asking, sft: LanguageModel, controller: AdaptiveKL
) -> LanguageModel:  # fmt: skip
    """The policy after rounds of its own hints, each judged by what the model makes of it."""
    pad = sft.tokenizer.pad_token_id
    values = answerwise(lambda one: hint_loss(one, controller.beta(one.whole)), pad=pad)
    recipe = Recipe(
        reward=asking.reward, advantage=leave_one_out, values=values, reference=True,
        judging=Judging(config, bench.base),
    )  # fmt: skip
    share = 0.9 if weights(bench.base) else 1.0  # the rest compares hints afterwards
    return policy_gradient(bench, recipe, config, stage=Stage(name="rl", start=sft, share=share)).policy


def compared(
    config: Config, bench: Bench, asking: Asking, policies: dict[str, LanguageModel | None]
) -> list[Probed]:  # fmt: skip
    """The metric on validation prompts: without a hint, behind each policy's hints, and behind pseudo-hints made with
    the reference in view, which nobody has when it counts.
    """
    prompts = (bench.task.prompts("valid") or bench.task.prompts("train"))[: affordable(config, bench)]
    decoding, seed = Decoding(max_tokens=config.max_tokens), answer_seed(bench.seed, "compared")
    hints = {"no hint": [""] * len(prompts)}
    for name, policy in policies.items():
        if policy is not None:
            hints[name] = [str(many[0].value) for many in policy.answer(prompts, n=1, decoding=decoding, seed=seed)]
    if config.stimuli == "keywords":
        hints["oracle hint"] = [keywords(text_of(one), asking.reference(one)) for one in prompts]
    found = []
    for name, texts in hints.items():
        values = [value for value in asking.worth(prompts, texts) if value is not None]
        if len(values) > 1:
            found.append(probed(name, f"{config.metric} with {name}", over_items(values), unit="0 to 1"))
        steps = [one for prompt, text in zip(prompts, texts, strict=True) for one in asking.steps(prompt, text)]
        if len(steps) > 1:
            good = [float(one > 0) for one in steps]
            found.append(probed(f"{name} precision", f"keywords of {name} that hit", over_items(good), unit="share"))
    return found


def affordable(config: Config, bench: Bench) -> int:
    """Validation prompts that what is left of the budget pays for."""
    prompts = bench.task.prompts("valid") or bench.task.prompts("train")
    if not weights(bench.base):
        return MEASURED
    rows = encode(bench.base.tokenizer, prompts[:1], [Answer(value="", tokens=(0,) * config.max_tokens)])
    price = 4 * Judging(config, bench.base)(bench.base.module, rows)
    try:
        return min(MEASURED, bench.budget.plan(flops_per_step=price))
    except OperantError:
        return 0


def load(config: Config, directory: Path, base: Policy) -> Products:
    parts = directory / "generator"
    policy, own = (open_model(parts / name, loading_of(base)) for name in ("policy", "base"))
    return Products(generator=hinted(config, policy, own))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="directional-stimulus",
        family="prompt",
        kind="method",
        paper="arXiv:2302.11520",
        title="Guiding large language models via directional stimulus prompting",
        claims=(
            Claim("instructions", "accuracy", "up", against="base", smallest=0.05),
            Claim("instructions", "accuracy", "up", against="directional-stimulus:stage=sft", smallest=0.03),
        ),
        baselines=("base", "directional-stimulus:stage=sft", "directional-stimulus:kl=0"),
        task="instructions",
        search={"learning_rate": ("x1", "x0.5", "x2", "x4")},
        tiny={
            "stimuli": "triggers",
            "sentences": "EP01|EP02|EP03|EP04",
            "metric": "verifier",
            "place": "instruction",
            "sft_rate": 3e-3,
            "imitate": 0.5,
            "group": 4,
            "asked": 1,
            "learning_rate": 2e-4,
            "answer_tokens": 6,
        },
        differs=(
            "on the embedded task a hint is one of four sentences, of which one was planted to help and one to hurt; "
            "the policy is a copy of the base, not Flan-T5",
            "plain PPO without a critic: a hint is compared with the other hints to its prompt. No learnt action mask "
            "(NLPO), and no top-k while hints are drawn",
            "rewards of single keywords count for the hint as a whole, not from their separator on",
            "the policy is a causal language model; a text policy with an encoder is not loaded",
            "the metric is ROUGE or the task's verifier; BLEU, METEOR and dialogue scores come in as a scorer",
        ),
    ),
)
