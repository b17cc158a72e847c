"""Policies that search: a tree for each prompt, or as many whole answers as the same tokens buy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from operant.data.trees import Tree
from operant.decoding.kept_tree import kept_tree
from operant.decoding.step_search import Budget, Growing, Grown, Place, Solved, StepSearch, Value, conclusion
from operant.disk import answer_seed, write_json
from operant.engine.policy import LanguageModel
from operant.schema import KL, Answer, Decoding, Point, Prompt, Scorer

SHOWN = 40  # places of a tree that a report draws
How = Literal["mcts", "best-of-n", "majority"]


@dataclass
class Searching:
    """Answers found for at most `tokens` sampled tokens each: by tree, by the best value, or by a vote.

    Neither the temperature of who asks nor a law over answers enters: a search has none.
    """

    policy: LanguageModel
    model: Scorer  # what texts so far are worth
    growing: Growing
    tokens: int
    search: How = "mcts"
    solved: Solved | None = None
    spare: int = 0  # of the tokens, kept to finish a text with

    @property
    def value(self) -> Value:
        return lambda prompts, answers: [one.value or 0.0 for one in self.model.score(prompts, answers)]

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        """Answer j of a prompt is that of a search of its own."""
        rounds = [self._once(prompts, decoding, answer_seed(seed, "search", copy)) for copy in range(n)]
        return [list(many) for many in zip(*rounds, strict=True)]

    def _once(self, prompts: Sequence[Prompt], decoding: Decoding, seed: int) -> list[Answer]:
        budget = Budget(self.tokens, decoding.max_tokens)
        if self.search == "mcts":
            budget = budget._replace(spare=self.spare if self.growing.finish else 0)
            made = StepSearch(self.policy, self.value, self.growing, budget, solved=self.solved)
            return [replace(one.answer, trace=self._kept(made, one)) for one in made.grow(prompts, seed=seed)]
        pools = drawn_within(self.policy, prompts, budget, seed=seed)
        choose = self._best if self.search == "best-of-n" else self._voted
        return [choose(prompt, many) for prompt, many in zip(prompts, pools, strict=True)]

    def _kept(self, made: StepSearch, grown: Grown) -> Tree:
        """The tree as far as it is shown. The way to the answer is what the answer begins with."""
        whole = grown.answer.tokens or ()

        def told(node: Place) -> tuple[str, bool]:
            text = node.item
            before = node.parent.item.tokens if node.parent is not None else ()
            return made.words(text.tokens[len(before) :]), whole[: len(text.tokens)] == text.tokens

        return kept_tree(grown.root, told, most=SHOWN)

    def _best(self, prompt: Prompt, answers: Sequence[Answer]) -> Answer:
        values = self.value([prompt] * len(answers), answers)
        return answers[max(range(len(answers)), key=lambda place: (values[place], -place))]

    def _voted(self, prompt: Prompt, answers: Sequence[Answer]) -> Answer:
        """The first of those whose last step most of the others have too."""
        assert prompt is not None
        votes = Counter(conclusion(str(one.value), self.growing.step_end) for one in answers)
        return max(answers, key=lambda one: votes[conclusion(str(one.value), self.growing.step_end)])

    def logps(self, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> None:
        """Unknown: the chance that a search ends here has no closed form."""
        assert len(prompts) == len(answers)

    def kl(self, base: Any, prompts: Sequence[Prompt], answers: Sequence[Answer]) -> KL:
        assert base is not None and len(prompts) == len(answers)
        return KL(values=None, kind="none", why="a search has no law over answers that could be computed")

    def points(self) -> list[Point]:
        """A quarter of the tokens, and all."""
        return [
            Point(knob="tokens", value=float(count), generator=self.within(count))
            for count in (max(1, self.tokens // 4), self.tokens)
        ]

    def within(self, tokens: int) -> Searching:
        return replace(self, tokens=tokens)

    def save(self, directory: Path) -> None:
        """Both nets, and how many tokens a search may take."""
        write_json(directory / "search.json", {**asdict(self.growing), "tokens": self.tokens, "spare": self.spare})
        for name, part in (("base", self.policy), ("value", self.model)):
            (directory / name).mkdir(parents=True, exist_ok=True)
            part.save(directory / name)


def drawn_within(policy: Any, prompts: Sequence[Prompt], budget: Budget, *, seed: int) -> list[list[Answer]]:
    """Whole answers at temperature 1, one after the other, while another one is sure to fit; at least one."""
    found: list[list[Answer]] = [[] for _ in prompts]
    used, going, turn = [0] * len(prompts), list(range(len(prompts))), 0
    while going:
        drawn = policy.answer(
            [prompts[place] for place in going], n=1, decoding=Decoding(max_tokens=budget.max_tokens),
            seed=answer_seed(seed, "whole", turn),
        )  # fmt: skip
        for place, (one,) in zip(going, drawn, strict=True):
            found[place].append(one)
            used[place] += len(one.tokens or ())
        going = [place for place in going if used[place] + budget.max_tokens <= budget.tokens]
        turn += 1
    return found
