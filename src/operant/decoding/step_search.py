"""Monte Carlo search over the steps of an answer: ReST-MCTS*, whose values say how far a text is on its way.

Select by value and confidence, propose a few next steps, try out the most promising one by a few greedy steps more, and
tell those above. Trees of many prompts grow together; each may sample so many tokens and no more.
Source: Zhang et al. 2024, arXiv:2406.03816, and the released search.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple, TypeAlias

from operant.decoding.search import Node, Select, best, mean_backup, search, upper_confidence
from operant.disk import answer_seed, content_hash
from operant.engine.policy import LanguageModel, as_answer
from operant.engine.prefixes import Prefixes, sample_onward
from operant.engine.sampler import Sampled
from operant.errors import require
from operant.models.steps import STEP_END, separator, step_texts
from operant.models.text import decode, encode_prompt, stop_ids
from operant.schema import Answer, Decoding, Prompt

LEAST = 2  # characters of a step


@dataclass(frozen=True, kw_only=True)
class Growing:
    """How a tree grows, and what is taken from it."""

    branch: int = 3  # next steps that are proposed
    explore: float = 0.7  # weight of confidence against value
    unseen: float = 1.0  # what a child without visits counts more
    gate: float = 0.9  # value from which a leaf is taken for solved
    alpha: float = 0.5  # weight of what trying out says, against a step's own value
    forward: int = 3  # steps of trying out
    forward_branch: int = 1  # proposals for each of them
    step_tokens: int = 64  # of a step, at most
    retries: int = 3  # where a proposal is empty, or said before
    iterations: int = 100
    temperature: float = 0.7
    pick: Literal["value", "leaves", "weighted"] = "value"  # of the whole tree; of ended leaves; their votes by answer
    finish: bool = False  # a text that is picked before it ended is written to its end, greedily
    step_end: str = STEP_END  # regular expression

    def __post_init__(self) -> None:
        for name in ("branch", "step_tokens", "iterations", "forward_branch"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("explore", "forward", "retries", "unseen"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        require(0 <= self.alpha <= 1, "alpha", self.alpha, "between 0 and 1")
        require(self.temperature >= 0, "temperature", self.temperature, "0 (greedy) or above")
        separator(self.step_end)

    @property
    def iteration_tokens(self) -> int:
        """The most that one iteration samples, but for retries."""
        return (self.branch + self.forward * self.forward_branch) * self.step_tokens


class Text(NamedTuple):
    """An answer so far."""

    prompt: Prompt
    ids: tuple[int, ...]  # of the prompt
    tokens: tuple[int, ...]
    steps: int
    stopped: bool = False


Place: TypeAlias = "Node[Text]"
Value = Callable[[Sequence[Prompt], Sequence[Answer]], Sequence[float]]  # of answers so far, 0 to 1
Solved = Callable[[Sequence[Prompt], Sequence[Answer]], Sequence[bool]]  # a critique: is it solved?


class Grown(NamedTuple):
    """A tree when its search is over."""

    root: Place
    answer: Answer
    tokens: int  # sampled for it


class Budget(NamedTuple):
    """What each tree may sample, and how long an answer may be."""

    tokens: int
    max_tokens: int
    spare: int = 0  # of the tokens, kept to finish a text with


class StepSearch:
    """Trees of some prompts. `collecting` goes on where a leaf looks solved, and keeps it as an end."""

    def __init__(
        self, policy: LanguageModel, value: Value, how: Growing, budget: Budget, *, collecting: bool = False,
        solved: Solved | None = None,
    ):  # fmt: skip
        self.policy, self.value, self.how, self.budget = policy, value, how, budget
        self.collecting, self.solved = collecting, solved
        self.tokenizer = policy.tokenizer
        self.stops = stop_ids(policy.module, policy.tokenizer)
        self.closing = self.stops | closing_ids(policy.tokenizer, how.step_end)
        self.descend: Select[Text] = upper_confidence(how.explore, unseen=how.unseen)
        self.read_so_far = Prefixes(policy.module, pad=policy.tokenizer.pad_token_id)
        self.used: Counter[str] = Counter()
        self.found: dict[int, Place] = {}

    def grow(self, prompts: Sequence[Prompt], *, seed: int) -> list[Grown]:
        self.policy.module.eval()
        self.seed, self.turn = seed, 0
        roots = [Node(Text(one, encode_prompt(self.tokenizer, one), (), 0)) for one in prompts]
        search(roots, select=self.select, expand=self.expand, evaluate=self.evaluate, backup=mean_backup)
        texts = [self.picked(root).item for root in roots]
        texts = self._finished(texts) if self.how.finish and not self.collecting else texts
        return [
            Grown(root, self.read(text), self.used[root.item.prompt.id])
            for root, text in zip(roots, texts, strict=True)
        ]

    def _finished(self, texts: Sequence[Text]) -> list[Text]:
        """What has not ended, with its greedy continuation."""
        open_ = [place for place, text in enumerate(texts) if not self._over(text)]
        found = list(texts)
        if not open_:
            return found
        asked = [(str(place), (*texts[place].ids, *texts[place].tokens)) for place in open_]
        most = self.budget.max_tokens - min(len(texts[place].tokens) for place in open_)
        decoding = Decoding(max_tokens=most, temperature=0.0)
        drawn = sample_onward(self.read_so_far, asked, n=1, decoding=decoding, seed=self.seed, stops=self.stops)
        for place, (rest,) in zip(open_, drawn, strict=True):
            found[place] = self._longer(texts[place], rest)
            self.used[texts[place].prompt.id] += len(found[place].tokens) - len(texts[place].tokens)
        return found

    def select(self, roots: Sequence[Place]) -> list[Place]:
        """A leaf of every tree that is not done; none once the iterations are over."""
        chosen: list[Place] = []
        self.turn += 1
        for root in roots if self.turn <= self.how.iterations else ():
            after = self.used[root.item.prompt.id] + self.how.iteration_tokens + self.budget.spare
            if id(root) in self.found or root.ended or (root.children and after > self.budget.tokens):
                continue
            (leaf,) = self.descend([root])
            if leaf is not root and self._looks_solved(leaf) and not self.collecting:
                self.found[id(root)] = leaf
                continue
            leaf.ended |= leaf is not root and self._looks_solved(leaf)
            chosen.append(leaf)
        return chosen

    def _looks_solved(self, leaf: Place) -> bool:
        return leaf.value >= self.how.gate and (self.how.pick == "value" or leaf.ended)

    def expand(self, nodes: Sequence[Place]) -> list[list[tuple[Text, bool]]]:
        """Different next steps of every text; a text that has none has ended."""
        if self.solved is not None:
            told = self.solved([one.item.prompt for one in nodes], [self.read(one.item) for one in nodes])
            for node, done in zip(nodes, told, strict=True):
                node.ended |= done and node.parent is not None
        open_ = [node for node in nodes if not node.ended]
        proposed = dict(zip(map(id, open_), self._proposals([one.item for one in open_], self.how.branch), strict=True))
        for node in open_:
            node.ended = not proposed[id(node)]
        return [[(text, self._over(text)) for text in proposed.get(id(node), ())] for node in nodes]

    def _over(self, text: Text) -> bool:
        return text.stopped or len(text.tokens) >= self.budget.max_tokens

    def _proposals(self, texts: Sequence[Text], count: int) -> list[list[Text]]:
        """Up to `count` different steps behind each text; what is empty or was said before is drawn again."""
        found: list[dict[str, Text]] = [{} for _ in texts]
        bad = [count] * len(texts)
        for attempt in range(self.how.retries + 1):
            asked = [place for place, missing in enumerate(bad) if missing]
            if not asked:
                break
            drawn = self._drawn([texts[place] for place in asked], max(bad[place] for place in asked), attempt)
            for place, many in zip(asked, drawn, strict=True):
                kept = many[: bad[place]]
                self.used[texts[place].prompt.id] += sum(len(one.tokens) for one in kept)
                bad[place] = 0
                for one in kept:
                    words = self.words(one.tokens)
                    before = decode(self.tokenizer, texts[place].tokens)
                    if len(words) < LEAST or words in before:
                        bad[place] += 1
                    else:
                        found[place].setdefault(words, self._longer(texts[place], one))
        return [list(own.values()) for own in found]

    def _longer(self, text: Text, step: Sampled) -> Text:
        tokens = (*text.tokens, *step.tokens)[: self.budget.max_tokens]
        return text._replace(tokens=tokens, steps=text.steps + 1, stopped=tokens[-1] in self.stops)

    def _drawn(self, texts: Sequence[Text], count: int, attempt: int) -> list[list[Sampled]]:
        asked = [
            (f"{one.prompt.id}/{content_hash(list(one.tokens))}", (*one.ids, *one.tokens)) for one in texts
        ]  # fmt: skip
        decoding = Decoding(max_tokens=self.how.step_tokens, temperature=self.how.temperature)
        seed = answer_seed(self.seed, "step", self.turn, attempt)
        return sample_onward(
            self.read_so_far, asked, n=count, decoding=decoding, seed=seed, stops=frozenset(self.closing)
        )

    def evaluate(self, nodes: Sequence[Place]) -> list[float]:
        """Each step's value; of the best one of each parent mixed with what trying it out says, as its first visit."""
        for node, value in zip(nodes, self._values([one.item for one in nodes]), strict=True):
            node.value = value
        parents = {id(node.parent): node.parent for node in nodes}
        tops = [max(one.children, key=lambda child: child.value) for one in parents.values() if one is not None]
        tried = [top for top in tops if not top.ended] if self.how.forward else []
        for top, reached in zip(tried, self._tried([one.item for one in tried]), strict=True):
            top.value = (1 - self.how.alpha) * top.value + self.how.alpha * reached
        for top in tried:
            top.visits += 1
        return [node.value for node in nodes]

    def _tried(self, texts: Sequence[Text]) -> list[float]:
        """The largest value on a few greedy steps from each text."""
        reached, now = [0.0] * len(texts), list(texts)
        going = list(range(len(texts)))
        for _ in range(self.how.forward):
            proposed = self._proposals([now[place] for place in going], self.how.forward_branch) if going else []
            flat = [one for many in proposed for one in many]
            values = iter(self._values(flat))
            still = []
            for place, many in zip(going, proposed, strict=True):
                if not many:
                    continue
                value, at = max((next(values), -at) for at, _ in enumerate(many))
                now[place], reached[place] = many[-at], max(reached[place], value)
                if not self._over(now[place]):
                    still.append(place)
            going = still
        return reached

    def _values(self, texts: Sequence[Text]) -> list[float]:
        told = self.value([one.prompt for one in texts], [self.read(one) for one in texts]) if texts else []
        return [min(1.0, max(0.0, one)) for one in told]

    def words(self, tokens: Sequence[int]) -> str:
        return decode(self.tokenizer, tokens).strip()

    def read(self, text: Text) -> Answer:
        return as_answer(self.tokenizer, Sampled(text.tokens, None, text.stopped))

    def picked(self, root: Place) -> Place:
        """What the tree answers."""
        if id(root) in self.found:
            return self.found[id(root)]
        if self.how.pick == "value":
            return max(below(root), key=lambda node: (node.value, node.item.steps), default=root)
        if self.how.pick == "leaves":
            return best(root)
        leaves = [node for node in root.leaves() if node.ended]
        if not leaves:
            return best(root)
        votes: defaultdict[str, float] = defaultdict(float)
        for node in leaves:
            votes[self.conclusion(node)] += node.value
        top = max(votes.values())
        return max((node for node in leaves if votes[self.conclusion(node)] == top), key=lambda node: node.value)

    def conclusion(self, node: Place) -> str:
        return conclusion(str(self.read(node.item).value), self.how.step_end)


def below(root: Place) -> list[Place]:
    """Every node but the root."""
    return [one for child in root.children for one in (child, *below(child))]


def conclusion(text: str, step_end: str) -> str:
    """The last step, in which the answer stands."""
    return " ".join(step_texts(text, step_end)[-1].split())


def closing_ids(tokenizer: Any, step_end: str) -> frozenset[int]:
    """Tokens that end a step when they follow a word."""
    return _closing(tokenizer, step_end)


@cache
def _closing(tokenizer: Any, step_end: str) -> frozenset[int]:
    word = next(one for one in range(len(tokenizer)) if one not in tokenizer.all_special_ids)
    start, pattern = len(decode(tokenizer, [word])), separator(step_end)
    texts = tokenizer.batch_decode([[word, one] for one in range(len(tokenizer))], skip_special_tokens=True)
    return frozenset(one for one, text in enumerate(texts) if any(m.end() > start for m in pattern.finditer(text)))
