"""Follow-up likelihood as reward (Zhang et al. 2024): a reply is as good as the next message of its user would be kind.

No labels: a language model says how much likelier a satisfied user's next message is than a dissatisfied one's. It
may first learn from dialogues in which users did write on. Pairs for DPO are mined from the policy's own replies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
from torch import Tensor

from operant.card import Card, Claim, Method
from operant.disk import answer_seed
from operant.domains.text.tasks.reactions.readers import DISSATISFIED, SATISFIED
from operant.engine.body import read_flops, size_of
from operant.engine.policy import LanguageModel, loading_of, open_model
from operant.errors import NotApplicable, offered, require
from operant.loops.imitation import imitating_loss
from operant.loops.iterated_preference import Iterated, Now, Preferring, iterated_preference
from operant.models.text import Encoded, encode_prompt
from operant.objectives.preference import dpo_loss
from operant.probes.findings import Probed
from operant.rewards.best_worst import by_lot, mined
from operant.rewards.follow_ups import FACETS, OVERALL, Bank, lists, read_bank
from operant.rewards.likelihood import FILE, FollowUpLikelihood, Likelihood
from operant.rewards.turns import Turns, placed
from operant.schema import Answer, Bench, Judged, Pair, Policy, Products, Prompt, Score
from operant.stats.crossed import over_items
from operant.training.budgeted import PolicyFit, Stage, fit_policy
from operant.training.pairs import PairLogps, pass_flops
from operant.training.track import note_pairs

COLUMN = "follow_up"  # of a row: what its user wrote next
BANKS: dict[str, Bank] = {"facets": FACETS, "readers": {"review": lists(SATISFIED, DISSATISFIED)}}


@dataclass(frozen=True, kw_only=True)
class Config(Iterated):
    scorer: Literal["zero-shot", "feedback", "shuffled"] = "zero-shot"  # the base; fitted to follow-ups; to mixed ones
    pairs: Literal["mined", "random", "none"] = "mined"  # best against worst; two at random; no policy is trained
    bank: str = "facets"  # of follow-ups: six facets; "readers" of the task reactions; or a JSON file
    facet: str = OVERALL
    mode: Literal["likelihood", "first-position-logits"] = "likelihood"  # the other repeats released figures
    calibrated: bool = False  # less the reward of an empty reply
    turn: str = "\n\n"  # before the follow-up, in prompts that are plain text
    bait: str = ""  # a sentence added to replies, to see how much reward it earns
    threshold: float = 0.0  # nats per token by which a pair's rewards have to differ
    fitting: float = 0.4  # share of the budget for the scorer, where it is fitted
    scorer_rate: float = 2e-5
    beta: float = 0.1
    rounds: int = 1
    samples: int = 8  # arXiv:2409.13948, sec. 4
    temperature: float = 0.7
    top_p: float = 1.0
    learning_rate: float = 5e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.threshold >= 0, "threshold", self.threshold, "0 or more")
        require(0 < self.fitting < 1, "fitting", self.fitting, "between 0 and 1, a share of the budget")
        require(self.beta > 0, "beta", self.beta, "above 0")

    @property
    def taken(self) -> Likelihood:
        return Likelihood(facet=self.facet, calibrated=self.calibrated, raw=self.mode != "likelihood")


def bank_named(name: str) -> Bank:
    return BANKS[name] if name in BANKS else read_bank(Path(name))


def run(config: Config, bench: Bench) -> Products:
    turns = Turns(swapped=config.scorer != "zero-shot", turn=config.turn, max_length=bench.max_length)
    policy: Any = bench.base if config.scorer == "zero-shot" else fitted(config, bench, turns)
    scorer = FollowUpLikelihood(policy, bank_named(config.bank), turns, config.taken)
    if config.pairs == "none":
        return Products(scorer=scorer)
    mining = Mining(config, bench, scorer)
    recipe = Preferring(
        pairs=mining, loss=lambda logps, labels: loss_of(config, logps, labels), reads=reads_of(config, bench, scorer)
    )
    learnt = iterated_preference(bench, recipe, config)
    return Products(generator=learnt.student.finished(), scorer=scorer, own_reward=scorer, findings=mining.findings())


def loss_of(config: Config, logps: PairLogps, labels: Tensor) -> Tensor:
    assert len(labels) == len(logps.chosen)
    note_pairs(logps.chosen, logps.rejected, beta=config.beta)
    return dpo_loss(logps.chosen, logps.rejected, beta=config.beta)


def fitted(config: Config, bench: Bench, turns: Turns) -> LanguageModel:
    """The base after reading what users did write next: cross-entropy on the follow-up's tokens alone."""
    told = [one for one in offered(lambda: bench.task.judged("train")) if said_next(one)]
    if not told:
        raise NotApplicable(
            f"no row of {bench.task.name} has the column {COLUMN!r}, what its user wrote next; use scorer=zero-shot"
        )
    follow_ups = [said_next(one) for one in told]
    if config.scorer == "shuffled":
        follow_ups = Random(answer_seed(bench.seed, "shuffled")).sample(follow_ups, len(follow_ups))
    tokenizer: Any = bench.base.tokenizer
    texts = [(one.prompt, str(one.answer.value), said) for one, said in zip(told, follow_ups, strict=True)]
    rows = [one.row for one in placed(tokenizer, texts, turns)]

    loss = imitating_loss(pad=tokenizer.pad_token_id)
    share = 1.0 if config.pairs == "none" else config.fitting
    settings = PolicyFit(learning_rate=config.scorer_rate, batch_size=config.batch_size, points=0)
    return fit_policy(bench, rows, loss, settings, pass_flops, stage=Stage(name="scorer", share=share))


def said_next(one: Judged) -> str:
    return str(one.prompt.columns.get(COLUMN) or "").strip()


def reads_of(config: Config, bench: Bench, scorer: FollowUpLikelihood) -> int:
    """What scoring the replies to a prompt takes, in passes over these replies: all follow-ups stand behind each."""
    base: Any = bench.base
    asked = encode_prompt(base.tokenizer, bench.task.prompts("train")[0])
    reply = (0,) * config.max_tokens
    said = [tuple(base.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in scorer.messages]
    turn = (0,) * len(base.tokenizer(config.turn, add_special_tokens=False)["input_ids"])
    behind = [Encoded((*asked, *reply, *turn), one) for one in said]
    replies = [Encoded(asked, reply)] * config.samples
    each, whole = (read_flops(base.module, size_of(base.module, rows)) for rows in (behind, replies))
    return ceil(config.samples * each * (2 if config.calibrated else 1) / whole)


@dataclass
class Mining:
    """Pairs of each round, and what was seen while they were made."""

    config: Config
    bench: Bench
    scorer: FollowUpLikelihood
    dropped: list[float] = field(default_factory=list)  # of each prompt: 1 where it gave no pair
    length: list[float] = field(default_factory=list)  # of each prompt: rank correlation of reward and words
    baited: list[float] = field(default_factory=list)  # of each prompt: what the bait earned

    def __call__(self, now: Now) -> list[Pair]:
        prompts, drawn = [one.prompt for one in now.drawn], [one.answers for one in now.drawn]
        if self.config.pairs == "random":
            found = by_lot(prompts, drawn, seed=self.bench.seed)
        else:
            scores = self._scores(prompts, drawn)
            self._watch(prompts, drawn, scores)
            found = mined(prompts, drawn, scores, least=self.config.threshold)
        self.dropped += [1.0] * found.dropped + [0.0] * len(found.pairs)
        return found.pairs

    def _scores(self, prompts: Sequence[Prompt], drawn: Sequence[Sequence[Answer]]) -> list[list[Score]]:
        asked = [prompt for prompt, many in zip(prompts, drawn, strict=True) for _ in many]
        flat = iter(self.scorer.score(asked, [answer for many in drawn for answer in many]))
        return [[next(flat) for _ in many] for many in drawn]

    def _watch(
        self, prompts: Sequence[Prompt], drawn: Sequence[Sequence[Answer]], scores: Sequence[Sequence[Score]]
    ) -> None:  # fmt: skip
        for many, told in zip(drawn, scores, strict=True):
            rewards = rank([one.value or 0.0 for one in told])
            lengths = rank([len(str(one.value).split()) for one in many])
            if len(many) > 2 and rewards.std() > 0 and lengths.std() > 0:
                self.length.append(float(np.corrcoef(rewards, lengths)[0, 1]))
        if self.config.bait:
            firsts = [Answer(value=f"{many[0].value} {self.config.bait}") for many in drawn if many]
            kept = [prompt for prompt, many in zip(prompts, drawn, strict=True) if many]
            baited = self.scorer.score(kept, firsts)
            plain = [told[0].value for told in scores if told]
            self.baited += [(one.value or 0.0) - (two or 0.0) for one, two in zip(baited, plain, strict=True)]

    def findings(self) -> tuple[Probed, ...]:
        named = (
            ("dropped", "prompts whose replies gave no pair", "share", self.dropped),
            ("length", "rank correlation of a reply's reward with its length, within a prompt", "", self.length),
            ("bait", f"reward that the words {self.config.bait!r} earn a reply", "nats a token", self.baited),
        )
        found = [(key, name, unit, over_items(values)) for key, name, unit, values in named if len(values) > 1]
        return tuple(
            Probed(key=key, name=name, effect=one.effect, low=one.low, high=one.high, unit=unit, p=one.p)
            for key, name, unit, one in found
        )


def rank(values: Sequence[float]) -> np.ndarray:
    """Ranks; equal values share their mean rank."""
    array = np.asarray(values, dtype=float)
    return np.array([(array < one).sum() + ((array == one).sum() - 1) / 2 for one in array])


def load(config: Config, directory: Path, base: Policy) -> Products:
    generator: Any = None
    if (directory / "generator").is_dir():
        generator = LanguageModel.load(directory / "generator", loading_of(base))
    if not (directory / "scorer" / FILE).is_file():
        return Products(generator=generator)
    turns = Turns(swapped=config.scorer != "zero-shot", turn=config.turn)
    policy = open_model(directory / "scorer" / "policy", loading_of(base))
    scorer = FollowUpLikelihood(policy, read_bank(directory / "scorer" / FILE), turns, config.taken)
    return Products(generator=generator, scorer=scorer, own_reward=scorer if generator is not None else None)


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="follow-up-likelihood",
        family="reward",
        kind="method",
        paper="arXiv:2409.13948",
        title="Aligning language models using follow-up likelihood as reward signal",
        claims=(
            Claim("reactions", "accuracy", "up", against="longer-wins", smallest=0.15),
            Claim("reactions", "accuracy", "up", against="follow-up-likelihood:scorer=zero-shot", smallest=0.03),
            Claim("reactions", "quality", "up", against="base", smallest=0.2),
            Claim("reactions", "quality", "up", against="follow-up-likelihood:pairs=random", smallest=0.2),
        ),
        baselines=(
            "base",
            "longer-wins",
            "follow-up-likelihood:scorer=zero-shot",
            "follow-up-likelihood:scorer=shuffled",
            "follow-up-likelihood:pairs=random",
        ),
        task="reactions",
        search={"learning_rate": ("x1", "x0.5", "x2", "x4")},
        tiny={
            "scorer": "feedback",
            "bank": "readers",
            "turn": " you say : ",
            "scorer_rate": 1e-3,
            "epochs": None,
            "learning_rate": 1e-4,
        },
        differs=(
            "one model of about 1M parameters scores and learns; the paper's scorers are chat models of 8B parameters",
            "log-probabilities are normalised and taken step by step; the released script averages raw logits at one "
            "position (mode=first-position-logits)",
            "the follow-ups are our own sentences on the paper's six facets, and none stands twice in a list",
            "on the embedded task readers say one of twenty sentences, and the bank holds all of them",
        ),
    ),
)
