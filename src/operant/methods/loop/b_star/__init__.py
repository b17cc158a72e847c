"""B-STaR (Zeng et al. 2024): self-taught reasoning that watches whether it still has something to learn from.

A model that imitates its own right answers soon samples the same ones, and its reward stops telling good from bad. Both
go into one number for each query: are there enough different right answers, and are those that pass the filter right?
Before every round the sampling temperature, and then the threshold of the filter, are chosen to make it large.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from operant.card import Card, Claim, Method
from operant.disk import answer_seed
from operant.engine.policy import LanguageModel
from operant.engine.rollouts import Asked, rollout_flops
from operant.engine.step_scores import step_read_flops
from operant.errors import OperantError, require
from operant.loops.given import given_solutions
from operant.loops.imitation import imitating_loss
from operant.loops.policy_gradient import askable
from operant.loops.rounds import RoundFit
from operant.loops.sample_filter_fit import Filtered, Turn, sample_filter_fit
from operant.loops.student import Student
from operant.meter import spent
from operant.methods.loop.b_star.balance import Pool, Scored, best_threshold, pool, select
from operant.methods.loop.b_star.monitors import exactly, watched
from operant.methods.loop.b_star.rewards import LOGIT, step_judge, weakest_logit
from operant.models.steps import STEP_END, separator
from operant.models.text import Encoded, encode, encode_prompt
from operant.rewards.verified import verified
from operant.schema import Answer, Bench, Decoding, Finding, Products, Prompt
from operant.training.budgeted import Fit, Stage
from operant.training.pairs import pass_flops
from operant.training.products import load_policy

CHUNK = 16  # prompts asked at once, at most


@dataclass(frozen=True, kw_only=True)
class Config(Filtered):
    temperatures: tuple[float, ...] = tuple(round(0.5 + 0.05 * at, 2) for at in range(15))  # tried before every round
    threshold: float | None = None  # of rewards; None: searched, from -1 up to below 1
    grid: float = 0.1  # step of that search; the released code's is 0.01
    samples: int = 64  # answers drawn for each query, at every temperature
    n_star: float = 8.0  # different right answers wanted of each query
    dev: int = 600  # validation prompts that temperatures are tried on, at most
    searching: float = 0.25  # share of the sampling that is spent on that
    prm: Literal["rollouts", "given", "none"] = (
        "rollouts"  # what a process reward model learns from; none: no such term
    )
    prm_share: float = 0.15  # of the budget, for labels of steps and for fitting that model
    prm_rate: float = 1.0  # its learning rate over the policy's
    prompts: int = 64  # training prompts whose steps are tried out (prm=rollouts)
    sft: float = 0.2  # share of the budget for imitating given solutions first, where there are any
    step_end: str = STEP_END  # regular expression
    rounds: int = 9
    batch_size: int = 128
    learning_rate: float = 4.12e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.temperatures and min(self.temperatures) > 0, "temperatures", self.temperatures, "one or more above 0"
        )
        require(0 < self.grid <= 1, "grid", self.grid, "above 0 and at most 1")
        require(self.threshold is None or self.grid == 0.1, "grid", self.grid, "left out with a threshold")
        require(
            self.samples >= 2 and self.n_star > 0,
            "samples and n_star",
            (self.samples, self.n_star),
            "2 or more, above 0",
        )
        require(self.dev >= 1, "dev", self.dev, "at least 1 prompt")
        for name in ("searching", "prm_share"):
            require(0 < getattr(self, name) < 1, name, getattr(self, name), "between 0 and 1")
        require(0 <= self.sft < 1, "sft", self.sft, "at least 0 and below 1, a share of the budget")
        require(self.prm == "rollouts" or self.prompts == 64, "prompts", self.prompts, f"left out with prm={self.prm}")
        separator(self.step_end)

    @property
    def thresholds(self) -> list[float]:
        """From -1 up to below 1, or the one that is set."""
        if self.threshold is not None:
            return [self.threshold]
        return [round(-1 + self.grid * at, 6) for at in range(math.ceil(2 / self.grid - 1e-9))]


class Sampling:
    """What each round samples, how it is scored, and what of it is imitated."""

    def __init__(self, config: Config, bench: Bench):
        self.config, self.bench = config, bench
        self.solutions = given_solutions(bench)
        self.judge = step_judge(config, bench)
        room = RoundFit(learning_rate=1.0, max_tokens=config.max_tokens)
        self.train = [one.prompt for one in askable(bench.base.tokenizer, bench, room)]
        valid = bench.task.prompts("valid")
        if not valid:
            raise OperantError("there is no validation prompt to choose a temperature on; give the data a valid split")
        self.dev = [one.prompt for one in askable(bench.base.tokenizer, bench, room, valid)][: config.dev]
        self.rejected = 0
        self.findings: list[Finding] = []

    def __call__(self, turn: Turn) -> list[Encoded]:
        """Choose a temperature on the dev queries, sample the training queries, choose the filter on them."""
        config, name = self.config, f"round {turn.number + 1}"
        policy, seed = turn.student.policy, answer_seed(self.bench.seed, "round", turn.number)
        temperature, end = config.temperatures[0], spent().flops + turn.allowance
        if len(config.temperatures) > 1:
            temperature = self._hottest(policy, config.searching * turn.allowance, seed)
        left = end - spent().flops
        mixed = Random(seed).sample(self.train, len(self.train))
        pools = self._pools(policy, mixed, [temperature], left, seed)[temperature]
        chosen = best_threshold(pools, config.thresholds, n_star=config.n_star, most=config.samples)
        target = config.n_star * len(pools)
        selected = select(pools, threshold=chosen.threshold, target=target, most=config.samples)
        told = {"temperature": temperature, "threshold": chosen.threshold, "balance": chosen.score}
        self.findings += [exactly(f"{name}: {what}", value) for what, value in told.items()]
        asked = [one.prompt for one, many in zip(pools, selected, strict=True) for _ in many]
        drawn = [one._replace(answers=tuple(own for own in one.answers if not own.given)) for one in pools]
        drawn = [one for one in drawn if one.answers]
        if asked and drawn:
            self.findings += watched(drawn, selected, name=name, step_end=config.step_end)
        return encode(policy.tokenizer, asked, [one.answer for many in selected for one in many])

    def _hottest(self, policy: LanguageModel, most: float, seed: int) -> float:
        """The temperature whose answers to the dev queries have the best balance at its best threshold."""
        config = self.config
        pools = self._pools(policy, self.dev, config.temperatures, most, answer_seed(seed, "dev"))
        scores = {
            temperature: best_threshold(found, config.thresholds, n_star=config.n_star, most=config.samples).score
            for temperature, found in pools.items()
        }
        return max(scores, key=lambda one: scores[one])

    def _pools(
        self, policy: LanguageModel, prompts: Sequence[Prompt], temperatures: Sequence[float], most: float, seed: int
    ) -> dict[float, list[Pool]]:
        """Scored answers at each temperature, to as many of the prompts, in order, as `most` FLOPs pay for."""
        end = spent().flops + most
        found: dict[float, list[Pool]] = {one: [] for one in temperatures}
        start = 0
        while start < len(prompts) and (spent().flops < end or not start):
            price = len(temperatures) * self.price(policy, prompts[start])
            some = prompts[start : start + max(1, min(CHUNK, int((end - spent().flops) / price)))]
            for temperature, pools in self._asked(policy, some, temperatures, seed):
                found[temperature] += pools
            start += len(some)
        return found

    def price(self, policy: LanguageModel, prompt: Prompt) -> float:
        """FLOPs of a query at one temperature if no answer ends early."""
        config, asked = self.config, Asked(prompt, encode_prompt(policy.tokenizer, prompt))
        rows = [Encoded(asked.ids, (0,) * config.max_tokens)] * config.samples
        drawn = rollout_flops(policy.module, [asked], n=config.samples, max_tokens=config.max_tokens)
        return drawn + (step_read_flops(self.judge.head, rows) if self.judge else 0.0)

    def least(self, policy: LanguageModel) -> float:
        """FLOPs of a round with one query of either kind and one step, sampling being its share of it."""
        config, prompt = self.config, self.train[0]
        tried = len(config.temperatures) if len(config.temperatures) > 1 else 0
        asking = (tried + 1) * self.price(policy, prompt)
        row = Encoded(encode_prompt(policy.tokenizer, prompt), (0,) * config.max_tokens)
        step = pass_flops(policy.module, [row] * config.batch_size)
        return max(asking / config.sampling, asking + step)

    def _asked(
        self, policy: LanguageModel, prompts: Sequence[Prompt], temperatures: Sequence[float], seed: int
    ) -> Iterator[tuple[float, list[Pool]]]:
        """The answers to some prompts at each temperature, with the given solution among them."""
        config, drawn = self.config, []
        for one in temperatures:
            decoding = Decoding(max_tokens=config.max_tokens, temperature=one)
            drawn.append(policy.answer(prompts, n=config.samples, decoding=decoding, seed=answer_seed(seed, one)))
        owners = [prompt for _ in temperatures for prompt in prompts for _ in range(config.samples)]
        scored = iter(self._scored(owners, [answer for own in drawn for many in own for answer in many]))
        for one in temperatures:
            yield one, [self._pool(prompt, [next(scored) for _ in range(config.samples)], seed) for prompt in prompts]

    def _pool(self, prompt: Prompt, answers: Sequence[Scored | None], seed: int) -> Pool:
        given = self.solutions.get(prompt.id)
        gold = [] if given is None else [Scored(given, 1.0, right=True, given=True)]
        return pool(prompt, [*gold, *(one for one in answers if one is not None)], seed=seed)

    def _scored(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[Scored | None]:
        """1 for a right answer, and its weakest step's logit over 5 beside it; None where nobody can tell."""
        right = verified(self.bench.task, prompts, answers)
        steps: Sequence[Sequence[float]] = [(0.5,)] * len(answers)  # a logit of 0
        if self.judge is not None:
            steps = self.judge.steps(prompts, answers)
        found: list[Scored | None] = []
        for answer, score, own in zip(answers, right, steps, strict=True):
            logit = weakest_logit(own)
            if score.value is None or math.isnan(logit):
                self.rejected += 1
                found.append(None)
                continue
            worst = -LOGIT if self.judge is not None and answer.finish != "stop" else logit
            found.append(Scored(answer, score.value + worst / LOGIT, score.value > 0.5))
        return found


def run(config: Config, bench: Bench) -> Products:
    sampling, student = Sampling(config, bench), Student(bench)
    if config.sft and sampling.solutions:
        given = [one for one in sampling.train if one.id in sampling.solutions]
        rows = encode(bench.base.tokenizer, given, [sampling.solutions[one.id] for one in given])
        rows = [row for row in rows if len(row.prompt) + len(row.answer) <= bench.max_length]
        settings = Fit(learning_rate=config.learning_rate, batch_size=config.batch_size, recompute=config.recompute)
        student.fit(
            rows, imitating_loss(pad=bench.base.tokenizer.pad_token_id), settings, pass_flops,
            stage=Stage(name="sft", share=config.sft),
        )  # fmt: skip
    sample_filter_fit(bench, sampling, config, student=student, least=sampling.least(student.policy))
    if sampling.rejected:
        warnings.warn(f"{sampling.rejected} answers were left out, for nobody could tell their worth", stacklevel=2)
    return Products(generator=student.finished(), findings=tuple(sampling.findings))


METHOD = Method(
    Config,
    run,
    load_policy,
    Card(
        slug="b-star",
        family="loop",
        kind="method",
        paper="arXiv:2412.17256",
        title="B-STaR: monitoring and balancing exploration and exploitation in self-taught reasoners",
        claims=(
            Claim("arithmetic", "accuracy", "up", against="base", smallest=0.08),
            Claim("arithmetic", "accuracy", "up", against="b-star:temperatures=(1.0,),threshold=0.0", smallest=0.0),
            Claim("arithmetic", "accuracy", "up", against="b-star:optimiser=fresh", smallest=0.0),
        ),
        baselines=(
            "base",
            "sft",
            "b-star:temperatures=(1.0,),threshold=0.0",
            "b-star:optimiser=fresh",
            "b-star:prm=none",
        ),
        task="arithmetic",
        search={"learning_rate": ("x1", "x0.3", "x3", "x0.1")},
        tiny={
            "learning_rate": 5e-5,
            "prm_rate": 6.0,
            "batch_size": 8,
            "rounds": 5,
            "steps": 60,
            "samples": 16,
            "n_star": 4.0,
            "temperatures": (0.6, 0.8, 1.0, 1.2),
        },
        differs=(
            "one model of about 1M parameters, with 16 samples a query, 5 rounds of 60 steps and four temperatures",
            "each round takes as many queries, in random order, as half of its part of the budget pays for",
            "the learning rate warms up and decays linearly over all rounds, not by a cosine",
            "the first model imitates the given solutions for a share of the budget, not for one epoch",
            "labels of the process reward model stand at the ends of steps, not at every token, and come from the "
            "base's own completions; its logits are held between -5 and 5",
            "an answer that was cut counts as one that cannot be read",
        ),
    ),
)
