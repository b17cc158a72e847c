"""ReST-MCTS* (Zhang et al. 2024): a tree search over steps, whose finished trees teach policy and value model.

A value says how far a text is on its way to a right answer, so wrong steps cost and idle ones gain nothing. With final
answers alone to check, a finished tree says of every step how many more are needed from it. That retrains the value
model; the ways to right answers retrain the policy; and both search better. Used alone it is a way to decode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from random import Random
from typing import Any, Literal

from operant.card import Card, Claim, Method
from operant.decoding.step_answers import How, Searching, drawn_within
from operant.decoding.step_search import Budget, Growing, Grown, Place, Solved, StepSearch
from operant.disk import answer_seed, read_json
from operant.engine.policy import LanguageModel, loading_of
from operant.errors import require
from operant.loops.policy_gradient import askable
from operant.loops.rounds import RoundFit
from operant.loops.sample_filter_fit import Filtered, Turn, sample_filter_fit
from operant.loops.student import Student, share_of
from operant.meter import spent
from operant.methods.decode.rest_mcts.mining import mined, traces
from operant.methods.decode.rest_mcts.values import Valued, ValueModel, first_values
from operant.models.text import Encoded, encode
from operant.prompting.edits import with_text
from operant.rewards.model import RewardModel
from operant.rewards.verified import verified
from operant.schema import Answer, Bench, Finding, Policy, Products, Prompt
from operant.stats import clopper_pearson

MEASURED = 32  # prompts whose base answers say how long an answer is
CHUNK = 16  # trees that grow together while a policy is trained
OF_TRAINING = (
    "traces",
    "mining",
    "sampling",
    "rounds",
    "steps",
    "optimiser",
)  # not read where the policy is not trained


@dataclass(frozen=True, kw_only=True)
class Config(Filtered, Growing):
    n: int = 16  # a search may sample as many tokens as this many answers of the base have
    search: How = "mcts"  # at the same tokens: a tree; the best answer by the value model; a vote
    trains: bool = True  # False: the base is searched as it is
    mining: Literal["tree", "answers"] = "tree"  # answers: right ones are imitated as in ReST-EM, values stay
    traces: Literal["all", "best"] = "all"  # right ones of a tree that are imitated: all, or that of most value
    critique: bool = False  # ask the policy in words whether a text is a solution already
    value: str = ""  # directory of a reward model to start from, instead of one fitted to given solutions
    value_share: float = 0.3  # of the budget for the first value model
    value_again: float = 0.4  # of a round's sampling, for training it again
    value_rate: float = 10.0  # its learning rate over the policy's
    value_epochs: float = 2
    rounds: int = 2
    steps: int | None = None
    optimiser: Literal["kept", "fresh"] = "fresh"
    learning_rate: float = 3e-7

    def __post_init__(self) -> None:
        Filtered.__post_init__(self)
        Growing.__post_init__(self)
        require(self.n >= 1, "n", self.n, "at least 1")
        for name in ("value_share", "value_again"):
            require(0 < getattr(self, name) < 1, name, getattr(self, name), "between 0 and 1")
        require(self.value_rate > 0, "value_rate", self.value_rate, "above 0")
        if not self.trains:
            for one in (one for one in fields(Config) if one.name in OF_TRAINING):
                got = getattr(self, one.name)
                require(got == one.default, one.name, got, "left out with trains=False")

    @property
    def growing(self) -> Growing:
        return Growing(**{one.name: getattr(self, one.name) for one in fields(Growing)})


def tokens_of(config: Config, bench: Bench) -> int:
    """What n answers of the base have, by the mean over a few training prompts."""
    pools = bench.pool(bench.task.prompts("train")[:MEASURED], 1)
    lengths = [len(one.tokens or ()) for many in pools for one in many]
    return max(1, round(config.n * sum(lengths) / len(lengths)))


def doubted(prompt: Prompt, text: str) -> Prompt:
    """A prompt that asks whether a text solves it."""
    return with_text(
        prompt, lambda question: f"{question}\n{text}\nDoes this solve the problem completely? Answer yes or no."
    )


def critic(policy: LanguageModel) -> Solved:
    """Whether the policy holds a text for a solution: yes is likelier than no when it is asked."""

    def solved(prompts: Sequence[Prompt], answers: Sequence[Answer]) -> list[bool]:
        asked = [doubted(prompt, str(answer.value)) for prompt, answer in zip(prompts, answers, strict=True)]
        words = (Answer(value=word, finish="length") for word in (" yes", " no"))
        told = [policy.logps(asked, [word] * len(asked)) for word in words]
        return [sum(yes) > sum(no) for yes, no in zip(*told, strict=True)]

    return solved


class Trees:
    """What each round searches, and what policy and value model learn from it."""

    def __init__(self, config: Config, bench: Bench, value: ValueModel, tokens: int):
        self.config, self.bench, self.value = config, bench, value
        self.budget = Budget(tokens, config.max_tokens)
        room = RoundFit(learning_rate=1.0, max_tokens=config.max_tokens)
        self.prompts = [one.prompt for one in askable(bench.base.tokenizer, bench, room)]
        self.findings: list[Finding] = []

    def __call__(self, turn: Turn) -> list[Encoded]:
        """Search prompts in random order for most of the allowance; the rest trains the value model again."""
        seed = answer_seed(self.bench.seed, "round", turn.number)
        mixed = Random(seed).sample(self.prompts, len(self.prompts))
        policy, before = turn.student.policy, spent().flops
        trees = self.config.mining == "tree"
        most = turn.allowance * (1 - self.config.value_again if trees else 1.0)
        rows: list[Encoded] = []
        values: list[Valued] = []
        asked = reached = 0
        for start in range(0, len(mixed), CHUNK):
            if start and spent().flops - before >= most:
                break
            some = mixed[start : start + CHUNK]
            learnt = self._searched(policy, some, seed, values) if trees else self._answered(policy, some, seed)
            rows += [row for own in learnt for row in own]
            asked, reached = asked + len(learnt), reached + sum(bool(own) for own in learnt)
        low, high = clopper_pearson(reached, asked)
        name = f"round {turn.number + 1}: prompts with a right answer"
        self.findings.append(Finding(name=name, effect=reached / asked, low=low, high=high))
        again = before + turn.allowance - spent().flops
        if values and self.value.affords(values, again):
            self.value.fit(values, share=share_of(self.bench, again, spent=0.0))
        return rows

    def _searched(
        self, policy: LanguageModel, prompts: Sequence[Prompt], seed: int, values: list[Valued]
    ) -> list[list[Encoded]]:
        """The right ways of each prompt's tree; what the trees say of values goes to `values`."""
        config, model = self.config, self.value.model
        asking = critic(policy) if config.critique else None

        def worth(asked: Sequence[Prompt], answers: Sequence[Answer]) -> list[float]:
            return [score.value or 0.0 for score in model.score(asked, answers)]

        made = StepSearch(policy, worth, config.growing, self.budget, collecting=True, solved=asking)
        found = []
        for tree in made.grow(prompts, seed=seed):
            right = self._right(made, tree)
            texts = [(node.item, value) for node, value in mined(tree.root, right.__contains__, gate=config.gate)]
            values += [Valued(Encoded(text.ids, text.tokens), value) for text, value in texts]
            ways = traces(tree.root, right.__contains__, gate=config.gate, every=config.traces == "all")
            found.append([Encoded(one.item.ids, one.item.tokens) for one in ways])
        return found

    def _right(self, made: StepSearch, tree: Grown) -> set[Place]:
        """Ends of a tree whose answers the verifier accepts; one that was cut is none."""
        leaves = [leaf for leaf in tree.root.leaves() if leaf is not tree.root]
        scores = verified(self.bench.task, [leaf.item.prompt for leaf in leaves], [made.read(x.item) for x in leaves])
        return {leaf for leaf, score in zip(leaves, scores, strict=True) if (score.value or 0.0) > 0.5}

    def _answered(self, policy: LanguageModel, prompts: Sequence[Prompt], seed: int) -> list[list[Encoded]]:
        """Right answers among as many whole ones as the same tokens buy."""
        found = []
        for prompt, many in zip(prompts, drawn_within(policy, prompts, self.budget, seed=seed), strict=True):
            scores = verified(self.bench.task, [prompt] * len(many), many)
            good = [one for one, score in zip(many, scores, strict=True) if (score.value or 0.0) > 0.5]
            found.append(encode(policy.tokenizer, [prompt] * len(good), good))
        return found


def run(config: Config, bench: Bench) -> Products:
    tokens, value, base = tokens_of(config, bench), ValueModel(config, bench), bench.base
    if not config.value:
        value.fit(first_values(config, bench), share=config.value_share if config.trains else 1.0)
    policy: Any = base
    findings: tuple[Finding, ...] = ()
    if config.trains:
        trees = Trees(config, bench, value, tokens)
        policy = sample_filter_fit(bench, trees, config, student=Student(bench)).finished()
        findings = tuple(trees.findings)
    solved = critic(policy) if config.critique else None
    made = Searching(policy, value.model, config.growing, tokens, config.search, solved, tokens // config.n)
    return Products(generator=made, own_reward=value.model, findings=findings)


def load(config: Config, directory: Path, base: Policy) -> Products:
    parts = directory / "generator"
    policy = LanguageModel.load(parts / "base", loading_of(base))
    model = RewardModel.load(parts / "value")
    solved = critic(policy) if config.critique else None
    kept = read_json(parts / "search.json")
    made = Searching(policy, model, config.growing, kept["tokens"], config.search, solved, kept["spare"])
    return Products(generator=made, own_reward=model)


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="rest-mcts",
        family="decode",
        kind="method",
        paper="arXiv:2406.03816",
        title="ReST-MCTS*: LLM self-training via process reward guided tree search",
        claims=(
            Claim("arithmetic", "accuracy", "up", against="base", smallest=0.08),
            Claim("arithmetic", "accuracy", "up", against="rest-mcts:search=best-of-n", smallest=0.03),
            Claim("arithmetic", "accuracy", "up", against="rest-mcts:search=majority", smallest=0.03),
            Claim("arithmetic", "accuracy", "up", against="best-of-n", smallest=0.0),
            Claim("arithmetic", "steps", "up", against="rest-mcts:mining=answers", smallest=0.0),
        ),
        baselines=(
            "base",
            "sft",
            "best-of-n",
            "rest-mcts:search=best-of-n",
            "rest-mcts:search=majority",
            "rest-mcts:mining=answers",
            "rest-mcts:trains=False",
        ),
        task="arithmetic",
        search={"learning_rate": ("x1", "x0.3", "x3", "x0.1")},
        tiny={"learning_rate": 3e-5, "finish": True, "step_tokens": 12},
        differs=(
            "one model of about 1M parameters; the value model is a head on a copy of it",
            "a search may sample as many tokens as n answers of the base have, and begins nothing that might not fit; "
            "the paper limits iterations",
            "the answer is the node of most value (pick=value); on small models one that has not ended is written to "
            "its end greedily (finish=True), out of the same tokens",
            "where an answer ends by itself is marked as an end, and nothing follows it",
            "up to four steps are drawn behind each right beginning of a given solution, and one that is not the "
            "solution's own counts as wrong in the first value model's data",
            "on 1,000 problems the first value model told right beginnings from wrong ones of equal length no better "
            "than chance",
            "the learning rate decays linearly",
        ),
    ),
)
