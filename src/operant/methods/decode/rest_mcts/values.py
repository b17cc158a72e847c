"""The value model: a regression head that says how far a text is on its way to a right answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from operant.decoding.step_search import closing_ids
from operant.disk import answer_seed
from operant.engine.reward import reward_flops
from operant.engine.rollouts import Asked, rollout_flops
from operant.engine.sampler import sample
from operant.errors import NotApplicable
from operant.loops.given import given_solutions
from operant.loops.student import left
from operant.methods.decode.rest_mcts.mining import gold_targets, wrong_target
from operant.models.steps import step_ends
from operant.models.text import Encoded, decode, encode, stop_ids
from operant.rewards.model import RewardModel
from operant.schema import Bench, Decoding, Prompt
from operant.training.budgeted import Fit, Stage
from operant.training.heads import fit_on, fresh_head
from operant.training.reward import Head

if TYPE_CHECKING:
    from operant.methods.decode.rest_mcts import Config

ASKING = 0.4  # of the first value model's share, at most, for drawing wrong steps
OTHERS = 4  # steps drawn behind each right beginning, until one is another than the solution's


class Valued(NamedTuple):
    """A text so far, and what it is worth."""

    row: Encoded
    value: float


class ValueModel:
    """A head that is trained again with every round's trees."""

    def __init__(self, config: Config, bench: Bench):
        self.config, self.bench = config, bench
        base: Any = bench.base
        self.fits = 0
        if config.value:
            self.model = RewardModel.load(Path(config.value), max_length=bench.max_length)
            self.head = Head(self.model.head, self.model.adapter)
            return
        self.head = fresh_head(base, seed=bench.seed)
        self.head.module.config.problem_type = "regression"
        self.model = RewardModel(
            self.head.module, base.tokenizer, max_length=bench.max_length, adapter=self.head.adapter
        )

    def affords(self, items: Sequence[Valued], flops: float) -> bool:
        """Whether so much pays for a step."""
        rows = sorted((one.row for one in items), key=lambda row: len(row.prompt) + len(row.answer))
        base: Any = self.bench.base
        return reward_flops(self.head.module, base.tokenizer, rows[-self.config.batch_size :]) <= flops

    def fit(self, items: Sequence[Valued], *, share: float) -> None:
        """Go on from where it stands, by squared error."""

        def loss(rewards: Tensor, part: Sequence[Valued]) -> Tensor:
            return (rewards - rewards.new_tensor([one.value for one in part])) ** 2

        config = self.config
        settings = Fit(
            learning_rate=config.learning_rate * config.value_rate, epochs=config.value_epochs,
            batch_size=config.batch_size, recompute=config.recompute,
        )  # fmt: skip
        fit_on(
            self.bench, self.head, items, lambda part: [one.row for one in part], loss, settings,
            stage=Stage(name=f"value-{self.fits}", share=share),
        )  # fmt: skip
        self.head.module.eval()
        self.fits += 1


def first_values(config: Config, bench: Bench) -> list[Valued]:
    """Prefixes of given solutions, and the same with one step of the base's in place of the last.

    Source: arXiv:2406.03816, how the first value model's data are made; a step other than the solution's own counts as
    wrong.
    """
    base: Any = bench.base
    given = given_solutions(bench)
    prompts = [one for one in bench.task.prompts("train") if one.id in given]
    if not prompts:
        raise NotApplicable(
            "no prompt comes with a solution whose prefixes a value model could learn from; give demonstrations, a "
            "column `solution`, or a value model (value=DIR)"
        )
    mixed = Random(answer_seed(bench.seed, "first values")).sample(prompts, len(prompts))
    rows = encode(base.tokenizer, mixed, [given[one.id] for one in mixed])
    rows = [row for row in rows if len(row.prompt) + len(row.answer) <= bench.max_length]
    rows = rows[: _affordable(config, bench, rows)]
    ends = [step_ends(base.tokenizer, row.answer, config.step_end) for row in rows]
    found = [
        Valued(Encoded(row.prompt, row.answer[: end + 1]), value)
        for row, own in zip(rows, ends, strict=True)
        for end, value in zip(own, gold_targets(len(own)), strict=True)
    ]
    return found + _wrong(config, bench, rows, ends)


def _affordable(config: Config, bench: Bench, rows: Sequence[Encoded]) -> int:
    """How many solutions a part of the share pays wrong steps for, each as long as the longest."""
    base: Any = bench.base
    longest = max(rows, key=lambda row: len(row.prompt) + len(row.answer))
    count = len(step_ends(base.tokenizer, longest.answer, config.step_end))
    whole = Asked(Prompt(id="", content=""), longest.prompt + longest.answer)
    each = count * rollout_flops(base.module, [whole], n=OTHERS, max_tokens=config.step_tokens)
    return max(1, int(ASKING * config.value_share * left(bench) / each))


def _wrong(config: Config, bench: Bench, rows: Sequence[Encoded], ends: Sequence[tuple[int, ...]]) -> list[Valued]:
    """Behind each right beginning a step that is not the solution's, where the base says one in a few attempts."""
    base: Any = bench.base
    starts = [
        (row, own, place) for row, own in zip(rows, ends, strict=True) for place in range(1, len(own) + 1)
    ]  # fmt: skip
    begun = [row.answer[: own[place - 2] + 1] if place > 1 else () for row, own, place in starts]
    asked = [(f"{at}", (*row.prompt, *text)) for at, ((row, _, _), text) in enumerate(zip(starts, begun, strict=True))]
    stops = stop_ids(base.module, base.tokenizer) | closing_ids(base.tokenizer, config.step_end)
    drawn = sample(
        base.module, asked, n=OTHERS, decoding=Decoding(max_tokens=config.step_tokens), stops=stops,
        seed=answer_seed(bench.seed, "wrong steps"), pad=base.tokenizer.pad_token_id,
    )  # fmt: skip
    found = []
    for (row, own, place), text, steps in zip(starts, begun, drawn, strict=True):
        meant = decode(base.tokenizer, row.answer[len(text) : own[place - 1] + 1]).split()
        other = next((one.tokens for one in steps if decode(base.tokenizer, one.tokens).split() != meant), None)
        if other is not None:
            found.append(Valued(Encoded(row.prompt, (*text, *other)), wrong_target(place, len(own))))
    return found
