"""What is measured, against what, the floor and the aim."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import sampling, startup
from benchmarks.ceiling import least_seconds
from benchmarks.line import Line
from benchmarks.ours import encoded
from benchmarks.rounds import Timed, rounds
from benchmarks.subjects import model_directory, texts
from operant.engine.policy import LanguageModel

Bounds = dict[str, tuple[float, float]]  # floor and aim against each peer


class Plan(NamedTuple):
    """Where scratch files go, and how many rounds are counted."""

    folder: Path
    count: int


def dpo(
    plan: Plan, size: str, vocabulary: int, pairs: int, wanted: dict[str, dict[str, tuple[float, float]]]
) -> Iterator[Line]:
    """`wanted`: of each of our ways, the floor and the aim against each peer, and of `memory`."""
    peers = {one for floors in wanted.values() for one in floors} - {"memory"}
    found = _rounds(plan, "dpo", size, vocabulary, pairs, [*wanted, *peers, "trl:best"], together=size != "c")
    for way, floors in wanted.items():
        name = f"DPO, {size}/{vocabulary:,}, {'bf16' if 'bf16' in way else 'fp32'}"
        for peer, bounds in floors.items():
            if peer == "memory":
                yield Line(f"{name}: memory", "trl:best", *bounds, [found["trl:best"].more / found[way].more])
            else:
                yield Line(name, peer, *bounds, found[way].faster(found[peer]))


def limit(plan: Plan, size: str, vocabulary: int, pairs: int, wanted: dict[str, tuple[float, float]]) -> Iterator[Line]:
    """How much of the time of a DPO step the products would take that it cannot do without."""
    rows = encoded(LanguageModel.load(model_directory(plan.folder, size, vocabulary)), texts(pairs, vocabulary))
    for way, bounds in wanted.items():
        half = "bf16" in way
        before = least_seconds(size, vocabulary, rows, half=half)
        found = _rounds(plan, "dpo", size, vocabulary, pairs, [way], together=False)[way]
        least = min(before, least_seconds(size, vocabulary, rows, half=half))
        name = f"DPO, {size}/{vocabulary:,}, {'bf16' if half else 'fp32'}"
        yield Line(name, "share of the limit of products", *bounds, [least / run.cpu for run in found.runs])


def other(plan: Plan, what: str, wanted: dict[tuple[str, str], tuple[float, float]]) -> Iterator[Line]:
    """Reward models and imitation on model a: (our way, peer) -> floor and aim."""
    ways = [way for pair in wanted for way in pair]
    found = _rounds(plan, what, "a", 32_000, 16, ways, together=True)
    for (ours, peer), bounds in wanted.items():
        yield Line(f"{what}, a/32,000, {ours}", peer, *bounds, found[ours].faster(found[peer]))


def grpo(plan: Plan, wanted: dict[str, dict[str, tuple[float, float]]]) -> Iterator[Line]:
    """A round on model b, with one update or with four. `wanted`: as for `dpo`."""
    for way, floors in wanted.items():
        peers = [one for one in floors if one != "memory"]
        found = _rounds(plan, "grpo", "b", 512, 0, [way, *peers], together=True)
        name = f"GRPO round, b/512, {'four updates' if 'four' in way else 'one update'}"
        for peer in peers:
            yield Line(name, peer, *floors[peer], found[way].faster(found[peer]))
        least = min(peers, key=lambda peer: found[peer].more)
        yield Line(f"{name}: memory", least, *floors["memory"], [found[least].more / found[way].more])


def _rounds(
    plan: Plan, what: str, size: str, vocabulary: int, rows: int, ways: list[str], *, together: bool
) -> dict[str, Timed]:  # fmt: skip
    work = {way: (way, what, size, str(vocabulary), str(rows)) for way in dict.fromkeys(ways)}
    return rounds(work, count=plan.count, folder=plan.folder, together=together)


def answers(plan: Plan, floors: dict[int, tuple[float, float]]) -> Iterator[Line]:
    """Sampling, by architecture and length of the prompt; and guided sampling."""
    for architecture in ("llama", "qwen2", "gpt_neox", "gpt2"):
        for length, found in sampling.times(_sampler(plan, architecture), count=plan.count).items():
            faster = sampling.ratios(found, "ours", "generate")
            yield Line(f"16 answers, {architecture}, prompt {length}", "generate", *floors[length], faster)
            if architecture == "llama":
                slower = sampling.ratios(found, "two forward passes", "ours, guided")
                what = f"guided by a second model, prompt {length}"
                yield Line(what, "the two forward passes", 1.10, 1.05, slower, most=True)


def _sampler(plan: Plan, architecture: str) -> Path:
    return model_directory(plan.folder, "a", 32_000, architecture)


def doubled(plan: Plan) -> Iterator[Line]:
    """Cost where the work is doubled, as a share of twice the cost."""
    work = {
        "once": ("operant", "dpo", "a", "16000", "16"), "pairs": ("operant", "dpo", "a", "16000", "32"),
        "vocabulary": ("operant", "dpo", "a", "32000", "16"), "tokens": ("operant:long", "dpo", "a", "16000", "16"),
    }  # fmt: skip
    found = rounds(work, count=plan.count, folder=plan.folder)
    for name in ("pairs", "vocabulary", "tokens"):
        yield _linear(f"DPO, {name}", [one / 2 for one in found["once"].faster(found[name])])
    sampled = sampling.doubled(_sampler(plan, "llama"), count=plan.count)
    yield _linear("answers sampled", [one / 2 for one in sampling.ratios(sampled, *sampled)])


def _linear(what: str, shares: list[float]) -> Line:
    return Line(f"{what}: twice as many", "twice the cost", 1.10, 1.05, shares, most=True)


def starts(plan: Plan) -> Iterator[Line]:
    found = startup.seconds(plan.count)
    for name in ("operant --help", "operant data check --help"):
        yield Line(name, "seconds", 0.3, 0.25, found[name], most=True)
    extra = [ours - theirs for ours, theirs in zip(found["ready to train"], found["import torch"], strict=True)]
    yield Line("ready to train", "seconds more than import torch", 0.7, 0.2, extra, most=True)
    whole = startup.jobs(plan.folder, plan.count)
    yield Line("16 pairs from JSONL to a model", "trl dpo", 3, 5, sampling.ratios(whole, "operant", "trl"))


MEASURES: dict[str, Callable[[Plan], Iterator[Line]]] = {
    "dpo-a": lambda plan: dpo(plan, "a", 32_000, 16, {
        "operant": {"plain": (4, 5), "trl:best:fp32": (10, 12), "memory": (5.5, 8)},
        "operant:bf16": {"plain:bf16": (6.5, 10), "trl:best": (14, 25)},
    }),
    "dpo-a-large": lambda plan: dpo(plan, "a", 128_000, 8, {
        "operant:bf16": {"trl:best": (18, 25), "memory": (3.5, 6)},
    }),
    "dpo-b": lambda plan: dpo(plan, "b", 512, 64, {
        "operant": {"trl:best": (2.8, 4), "trl": (4, 6), "memory": (2.4, 3)},
    }),
    "dpo-c": lambda plan: dpo(plan, "c", 32_000, 8, {"operant:bf16": {"trl:best": (4.5, 7)}}),
    "grpo": lambda plan: grpo(plan, {
        "operant": {"trl:best": (4.2, 6), "trl:best:fp32": (4.2, 6), "memory": (2, 3)},
        "operant:four": {"trl:best:four": (4.2, 6), "trl:best:fp32:four": (4.2, 6), "memory": (2, 3)},
    }),
    "limit-a": lambda plan: limit(plan, "a", 32_000, 16, {"operant": (0.6, 0.7), "operant:bf16": (0.15, 0.3)}),
    "limit-c": lambda plan: limit(plan, "c", 32_000, 8, {"operant:bf16": (0.2, 0.35)}),
    "reward": lambda plan: other(plan, "reward", {
        ("operant:bf16", "trl:best"): (2, 3), ("operant", "trl:best:fp32"): (2.3, 3),
    }),
    "sft": lambda plan: other(plan, "sft", {
        ("operant:bf16", "trl:best"): (9, 14), ("operant:bf16", "trl:best:packing"): (8, 12),
    }),
    "answers": lambda plan: answers(plan, {64: (2.3, 4), 256: (3, 6), 512: (4, 7)}),
    "doubled": doubled,
    "starts": starts,
}  # fmt: skip
