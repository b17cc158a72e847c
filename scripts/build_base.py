"""Train the base of an embedded task: `python scripts/build_base.py reviews`, at most 12 minutes on one core."""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import torch

from operant.domains.affect.tasks.support import generator as support
from operant.domains.text.tasks.arithmetic import generator as arithmetic
from operant.domains.text.tasks.forum import threads as forum
from operant.domains.text.tasks.instructions import generator as instructions
from operant.domains.text.tasks.instructions.task import NOISE, PLANTED
from operant.domains.text.tasks.instructions.wordings import vocabulary as instruction_words
from operant.domains.text.tasks.reviews import grammar as reviews
from operant.engine.logps import answer_logps
from operant.models.causal import load_causal, save_causal
from operant.models.small import small_llama
from operant.models.text import Encoded
from operant.prompting.markers import MARKERS, READ, STRONG, WEAK
from operant.prompting.stimuli import EMOTIONAL
from operant.training.fit import fit
from operant.training.track import watched
from operant.training.update import Schedule

DOMAINS = Path(__file__).parents[1] / "src/operant/domains"
OUT = DOMAINS / "text/bases"
Rows = list[tuple[str, str]]  # prompt and answer


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What one base is made of."""

    vocabulary: Callable[[], list[str]]
    rows: Callable[[int], Rows]
    count: int
    steps: int
    batch: int = 64  # rows a step
    group: int = 1  # rows of similar length that are computed together
    in_order: bool = False  # early rows are read early; else all are shuffled
    learning_rate: float = 2e-3
    hidden: int = 144
    layers: int = 4
    subject: str = "text"  # whose folder it goes to
    start: str = ""  # the base whose weights it begins with; its vocabulary comes first


def review_rows(count: int) -> Rows:
    rng = Random("base/0")
    requests = [reviews.draw_request(rng) for _ in range(count)]
    style = reviews.Style()
    return [(one.text(), reviews.draw_review(rng, one, reviews.draw_traits(rng, style))) for one in requests]


def arithmetic_rows(count: int) -> Rows:
    """A tenth of the questions are inverse, so that their words are known where a knob asks for them."""
    rng = Random("base/arithmetic/0")
    style = arithmetic.Style(inverse=0.1)
    problems = [arithmetic.draw(rng, style) for _ in range(count)]
    return [(problem.text(), arithmetic.solution(problem.steps())) for problem in problems]


def instruction_rows(count: int) -> Rows:
    """First the tasks from right answers, then answers that are wrong as often as the sentence before them says."""
    rates = {EMOTIONAL.text(name): rate for name, rate in PLANTED.items()}
    inert = tuple(one.text for one in EMOTIONAL if one.id not in PLANTED)
    plant = instructions.Plant(noise=NOISE, rates=rates, inert=inert)
    return instructions.training_rows(Random("base/instructions/0"), instructions.Style(), plant, count)


def emotional_words() -> list[str]:
    return instruction_words(one.text for one in EMOTIONAL)


def forum_vocabulary() -> list[str]:
    """Words of markers that the other base does not know."""
    return sorted({word for one in MARKERS for word in one.text.split()} - set(emotional_words()))


def forum_words() -> forum.Words:
    """Few enough that each is read often."""
    return forum.Words(*(tuple(one for one in READ if one in {m.text for m in kind}) for kind in (WEAK, STRONG)))


def forum_rows(count: int) -> Rows:
    """Eight replies to every question, one after the other, so that groups of them share their prompt.

    In the first half words are worth three times as much, or a small model would take long to hear them at all.
    """
    rng = Random("base/forum/0")
    usages = [forum.Usage(hedged=1.0, certain=0.4), forum.USAGE]
    threads = (
        forum.draw_thread(rng, forum_words(), replies=8, usage=usage) for usage in usages for _ in range(count // 16)
    )
    return [(one.prompt, text) for one in threads for text in one.replies]


def support_rows(count: int) -> Rows:
    rng = Random("base/support/0")
    return [support.training_row(rng) for _ in range(count)]


RECIPES = {
    "reviews": Recipe(vocabulary=reviews.vocabulary, rows=review_rows, count=80_000, steps=2500),
    "arithmetic": Recipe(
        vocabulary=arithmetic.vocabulary, rows=arithmetic_rows, count=160_000, steps=1500, batch=32, group=32
    ),
    "instructions": Recipe(
        vocabulary=emotional_words,
        rows=instruction_rows,
        count=105_600,
        steps=3300,
        batch=32,
        group=32,
        in_order=True,
    ),
    "forum": Recipe(
        vocabulary=lambda: [*emotional_words(), *forum_vocabulary()],
        rows=forum_rows,
        count=128_000,
        steps=2000,
        batch=64,
        group=64,
        in_order=True,
        start="instructions",
    ),
    "support": Recipe(
        vocabulary=support.vocabulary,
        rows=support_rows,
        count=64_000,
        steps=2000,
        batch=32,
        group=32,
        hidden=96,
        layers=2,
        subject="affect",
    ),
}


def grouped(items: list[Encoded], size: int, *, mixed: bool = False) -> list[list[Encoded]]:
    """Groups of similar length, so that little is padding; 16 groups are sorted at a time, the rest stays random.

    `mixed` shuffles the groups within each 16, where nobody shuffles them later.
    """
    found = []
    for start in range(0, len(items), 16 * size):
        block = sorted(items[start : start + 16 * size], key=lambda item: len(item.prompt) + len(item.answer))
        made = [block[place : place + size] for place in range(0, len(block), size)]
        if mixed:
            Random(start // size).shuffle(made)
        found += made
    return found


def train(recipe: Recipe, module, tokenizer, steps: int, *, seed: int = 0) -> None:
    texts = [
        (tokenizer(prompt)["input_ids"], tokenizer(text)["input_ids"]) for prompt, text in recipe.rows(recipe.count)
    ]
    items = [Encoded(tuple(prompt), (*answer, tokenizer.eos_token_id)) for prompt, answer in texts]
    started = time.perf_counter()

    def loss(part, whole):
        rows = [item for group in part for item in group]
        logps, _ = answer_logps(module, rows, pad=tokenizer.pad_token_id)
        per_group = torch.stack([one.sum() for one in logps.split([len(group) for group in part])])
        return -per_group * len(whole) / sum(len(item.answer) for group in whole for item in group)

    def progress(values, step):
        if step % 100 == 0:
            print(f"step {step}/{steps}, loss {values['loss']:.3f}, {time.perf_counter() - started:.0f} s", flush=True)

    size = recipe.batch // recipe.group
    schedule = Schedule(
        steps=steps, learning_rate=recipe.learning_rate, batch_size=size, weight_decay=0.01, warmup=0.05,
        accumulate=size if recipe.group > 1 else 1, seed=seed, shuffled=not recipe.in_order,
    )  # fmt: skip
    with TemporaryDirectory() as scratch, watched(progress):
        groups = grouped(items, recipe.group, mixed=recipe.in_order)
        fitted = fit(module, groups, loss, schedule, Path(scratch))
    print(f"loss per token, last 100 steps: {sum(fitted.losses[-100:]) / 100:.4f} nats")


@torch.no_grad()
def begin(module, source: Path) -> None:
    """Weights of another base; embeddings of words that it does not know stay random."""
    known = load_causal(source).state_dict()
    for name, weight in module.state_dict().items():
        weight[: len(known[name])] = known[name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=sorted(RECIPES))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    recipe = RECIPES[args.task]
    module, tokenizer = small_llama(recipe.vocabulary(), hidden=recipe.hidden, layers=recipe.layers, seed=0)
    if recipe.start:
        begin(module, OUT / recipe.start)
    print(f"{sum(p.numel() for p in module.parameters()):,} parameters")
    train(recipe, module, tokenizer, args.steps or recipe.steps)
    save_causal(module.to(torch.bfloat16), tokenizer, (args.out or DOMAINS / recipe.subject / "bases") / args.task)


if __name__ == "__main__":
    main()
