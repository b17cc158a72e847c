"""How answers and scorers are measured: the same prompts, seeds and decoding for every row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from operant.compare.feedback import has_weights
from operant.compare.setup import Setup
from operant.conditioning.text import EMPTY
from operant.disk import answer_seed, content_hash, locked, read_json, write_json
from operant.errors import NotApplicable, offered
from operant.meter import Cost, metered
from operant.models.text import encode_answer
from operant.rewards.judges import LongerWins
from operant.schema import KL, Answer, Generator, Point, Prompt, Score, Scorer

Values = list[float | None]


def values(scores: Sequence[Score]) -> Values:
    return [score.value for score in scores]


def grade_generator(generator: Generator, own_reward: Scorer | None, setup: Setup) -> dict[str, Any]:
    """Answers to the test prompts and everything measured of them; serving is metered, grading is not."""
    prompts = setup.task.prompts("test")
    with metered() as serving:
        answers = first(generator, prompts, setup)
    with metered():
        found = _measured(prompts, answers, setup)
        found["kl"] = _kl_json(generator.kl(setup.base, prompts, answers))
        found["own_reward"] = values(own_reward.score(prompts, answers)) if own_reward else None
        found["chosen_nll"] = _chosen_nll(generator, setup)
        found["surprise"] = _surprise(generator, setup)
        found["answers"] = [setup.represent.dump(replace(one, tokens=None, logps=None)) for one in answers]
        found["points"] = [_point(point, prompts, setup) for point in generator.points()]
    found["serving"] = serving.to_json()
    return found


def blind(prompts: Sequence[Prompt], hidden: Sequence[str]) -> list[Prompt]:
    """Test prompts without the columns that hold their answers."""
    return [
        replace(one, columns={name: value for name, value in one.columns.items() if name not in hidden})
        for one in prompts
    ]


def first(generator: Generator, prompts: Sequence[Prompt], setup: Setup) -> list[Answer]:
    """One answer per prompt."""
    drawn = generator.answer(blind(prompts, setup.task.hidden), n=1, decoding=setup.decoding, seed=setup.seed)
    return [many[0] for many in drawn]


def _measured(prompts: Sequence[Prompt], answers: Sequence[Answer], setup: Setup) -> dict[str, Any]:
    about = setup.represent.properties(answers)
    gold = setup.task.gold(prompts, answers)
    return {
        "metrics": {name: values(scores) for name, scores in gold.items()},
        "proxy": proxy_above_base(prompts, answers, setup),
        "length": list(about.length),
        "diversity": dict(about.diversity),
    }


def proxy_above_base(prompts: Sequence[Prompt], answers: Sequence[Answer], setup: Setup) -> Values | None:
    """Proxy reward less its mean over base answers to the same prompt.

    Bradley-Terry leaves an offset per prompt and per fit free; only this difference can be averaged over seeds.
    """
    if setup.proxy is None:
        return None
    level = test_pool(setup)["proxy"]
    scored = values(setup.proxy.score(prompts, answers))
    return [None if one is None or base is None else one - base for one, base in zip(scored, level, strict=True)]


def _point(point: Point, prompts: Sequence[Prompt], setup: Setup) -> dict[str, Any]:
    """Gold, proxy and KL at one setting of the knob."""
    answers = first(point.generator, prompts, setup)
    gold = setup.task.gold(prompts, answers)[setup.task.metrics[0].name]
    return {
        "knob": point.knob,
        "value": point.value,
        "gold": values(gold),
        "proxy": proxy_above_base(prompts, answers, setup),
        "kl": _kl_json(point.generator.kl(setup.base, prompts, answers)),
    }


def _kl_json(kl: KL) -> dict[str, Any]:
    return {"values": None if kl.values is None else list(kl.values), "kind": kl.kind, "why": kl.why}


def _chosen_nll(generator: Generator, setup: Setup) -> Values | None:
    """Mean surprise per token at the preferred answers of the test pairs, nats; None without log-probabilities."""
    if not has_weights(setup.base):
        return None
    pairs = offered(lambda: setup.task.pairs("test"))[:200]
    if not pairs:
        return None
    kept = [pair for pair in pairs if len(encode_answer(setup.base.tokenizer, pair.chosen)) <= setup.options.max_length]
    logps = generator.logps([pair.prompt for pair in kept], [pair.chosen for pair in kept])
    return None if logps is None else [-sum(one) / len(one) if one else None for one in logps]


def _surprise(generator: Generator, setup: Setup) -> Values | None:
    """Mean surprise per token at test documents, nats; None without documents or without log-probabilities."""
    documents = offered(lambda: setup.task.documents("test"))[:200] if has_weights(setup.base) else []
    answers = [Answer(value="".join(one.segments)) for one in documents]
    room = setup.options.max_length
    kept = [
        (one.prompt or EMPTY, answer)
        for one, answer in zip(documents, answers, strict=True)
        if len(encode_answer(setup.base.tokenizer, answer)) <= room
    ]
    logps = generator.logps([prompt for prompt, _ in kept], [answer for _, answer in kept]) if kept else None
    return None if logps is None else [-sum(one) / len(one) if one else None for one in logps]


def test_pool(setup: Setup) -> dict[str, Any]:
    """best_of base answers per test prompt with their gold; one sample per seed that all rows share."""
    path = setup.run / "pools" / f"test-{setup.seed}.json"
    with locked(path.with_suffix(".lock")):
        if not path.is_file():
            with metered():
                write_json(path, _draw_pool(setup))
    return read_json(path)


def _draw_pool(setup: Setup) -> dict[str, Any]:
    prompts = setup.task.prompts("test")
    drawn = setup.base.answer(
        prompts, n=setup.options.pool, decoding=setup.decoding, seed=answer_seed(setup.seed, "test pool")
    )
    flat = [answer for many in drawn for answer in many]
    asked = [prompt for prompt, many in zip(prompts, drawn, strict=True) for _ in many]
    gold = values(setup.task.gold(asked, flat)[setup.task.metrics[0].name])
    size = setup.options.pool
    proxy: Values = values(setup.proxy.score(asked, flat)) if setup.proxy else [None] * len(flat)
    return {
        "proxy": [_level(proxy[start : start + size]) for start in range(0, len(proxy), size)],
        "answers": [[[str(one.value), one.finish] for one in many] for many in drawn],
        "gold": [gold[start : start + size] for start in range(0, len(gold), size)],
    }


def _level(scores: Values) -> float | None:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


def grade_scorer(scorer: Scorer, setup: Setup) -> dict[str, Any]:
    """Accuracy on test pairs beside the trivial judges, calibration data, and scores of the shared pool."""
    pairs = offered(lambda: setup.task.pairs("test"))
    if not pairs:
        raise NotApplicable("there are no test pairs to try a scorer on")
    prompts = [pair.prompt for pair in pairs]
    chosen, rejected = [pair.chosen for pair in pairs], [pair.rejected for pair in pairs]
    with metered() as serving:
        wins = scorer.compare(prompts, chosen, rejected)
    longer = LongerWins().compare(prompts, chosen, rejected)
    second = [_shown_second(pair.prompt, pair.chosen) for pair in pairs]
    return {
        "correct": [None if win is None else _right(win) for win in wins],
        "longer wins": [_right(win) for win in longer if win is not None],
        "always second": second,
        "longer": [win == 1.0 for win in longer],
        "probability": wins if scorer.scale in ("logit", "probability") else None,
        "pool": _pool_scores(scorer, setup),
        "serving": serving.to_json(),
    }


def _right(win: float) -> float:
    """1 for the chosen answer ahead, 0 for behind, one half for a tie."""
    return 0.5 if win == 0.5 else float(win > 0.5)


def _shown_second(prompt: Prompt, chosen: Answer) -> float:
    """Sides are swapped by a hash, so that position tells nothing; a judge of position gets about one half."""
    return float(Random(content_hash([prompt.id, str(chosen.value)])).random() < 0.5)


def _pool_scores(scorer: Scorer, setup: Setup) -> list[Values]:
    prompts = setup.task.prompts("test")
    pool = test_pool(setup)
    with metered():
        return [
            values(scorer.score([prompt] * len(many), [Answer(value=text, finish=finish) for text, finish in many]))
            for prompt, many in zip(prompts, pool["answers"], strict=True)
        ]


def training_cost(cost: Cost, setup: Setup) -> dict[str, Any]:
    return {"training": cost.to_json(), "budget_share": setup.ceiling.share(cost)}
