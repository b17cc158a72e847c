"""`train`, `answer` and `score`: one method, one model, one file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from operant.cli.data import printable
from operant.cli.settings import read_settings
from operant.compare.cell import run_alone
from operant.compare.options import Options
from operant.compare.rows import parse_rows
from operant.data.layouts import parse_columns
from operant.data.load import load as load_file
from operant.data.records import plain
from operant.disk import content_hash, read_json
from operant.engine.policy import LanguageModel
from operant.errors import OperantError, UnknownName
from operant.methods import load
from operant.rewards.judges import LongerWins
from operant.rewards.model import RewardModel
from operant.schema import Answer, Decoding, Generator, Prompt


def run_train(flags: dict[str, Any], *, seed: int, out: Path) -> None:
    """Train one row at the default budget and save it."""
    torch.set_num_threads(1)
    settings = read_settings(flags, None)
    options = Options.from_json({**settings, "seeds": 1, "trials": 1})
    (row,) = parse_rows(options)
    cost = run_alone(options, row, seed=seed, out=out)
    sys.stdout.write(f"{row.name}: {cost.flops:.3g} training FLOPs, {cost.labels:.0f} labels; saved to {out}\n")


def run_answer(
    prompts: list[str] | None, *, run: Path | None, row: str, model: str | None, seed: int, n: int,
    max_tokens: int, temperature: float,
) -> None:  # fmt: skip
    """Print one answer a line."""
    torch.set_num_threads(1)
    generator = _generator(run, row, model, seed)
    texts = prompts or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    asked = [Prompt(id=content_hash(text), content=text) for text in texts]
    decoding = Decoding(max_tokens=max_tokens, temperature=temperature)
    for many in generator.answer(asked, n=n, decoding=decoding, seed=seed):
        for answer in many:
            sys.stdout.write(printable(str(answer.value), keep="\n") + "\n")


def _generator(run: Path | None, row: str, model: str | None, seed: int) -> Generator:
    if run is not None:
        options = read_json(_there(run / "run.json"))["options"]
        names = {one.name: one for one in parse_rows(Options.from_json(options))}
        if row not in names:
            raise UnknownName(f"row of {run}", row, names)
        directory = run / "models" / f"{names[row].key}-{seed}"
        if not (directory / "product.json").is_file():
            raise OperantError(f"{row} was not kept in {run}; run the comparison with --keep all")
        return product(directory, base=options["model"])
    if model is None:
        raise OperantError("give --run with --row, or --model")
    if (Path(model) / "product.json").is_file():
        return product(Path(model), base=None)
    return LanguageModel.load(model)


def product(directory: Path, *, base: str | None) -> Generator:
    """The generator that a method saved."""
    about = read_json(directory / "product.json")
    method = load(about["slug"])
    config = method.config(**{k: tuple(v) if isinstance(v, list) else v for k, v in about["config"].items()})
    inside = next((p for p in (directory / "generator/base", directory / "generator") if p.is_dir()), base)
    if inside is None:
        raise OperantError(f"{directory} holds no generator; {about['slug']} hands over a scorer")
    generator = method.load(config, directory, LanguageModel.load(inside)).generator
    if generator is None:
        raise OperantError(f"{about['slug']} hands over a scorer, which answers nothing; use `operant score`")
    return generator


def _there(path: Path) -> Path:
    if not path.is_file():
        raise OperantError(f"{path.parent} holds no comparison; give the directory that `operant compare` printed")
    return path


def run_score(file: Path, *, model: Path, out: Path | None, columns: str | None, on_bad_row: Any) -> None:
    """One JSON line a record with its rewards; for pairs a summary on standard error."""
    torch.set_num_threads(1)
    scorer = RewardModel.load(model / "scorer" if (model / "scorer").is_dir() else model)
    records = load_file(file, columns=parse_columns(columns) if columns else None, on_bad_row=on_bad_row).records
    sides = ("chosen", "rejected") if records[0].chosen is not None else ("completion",)
    if any(getattr(record, side) is None for record in records for side in sides):
        raise OperantError(f"{file} holds no answers to score; expected pairs, or prompts with completions")
    prompts = [Prompt(id=str(record.line), content=record.prompt) for record in records]
    rewards = {
        side: scorer.score(prompts, [Answer(value=plain(getattr(record, side))) for record in records])
        for side in sides
    }
    lines = [
        json.dumps({"line": record.line, **{side: rewards[side][place].value for side in sides}})
        for place, record in enumerate(records)
    ]
    if out is None:
        sys.stdout.write("\n".join(lines) + "\n")
    else:
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if len(sides) == 2:
        _accuracy(records, rewards, prompts)


def _accuracy(records: Any, rewards: Any, prompts: list[Prompt]) -> None:
    pairs = list(zip(rewards["chosen"], rewards["rejected"], strict=True))
    right = sum((a.value > b.value) + 0.5 * (a.value == b.value) for a, b in pairs) / len(pairs)
    texts = [[Answer(value=plain(getattr(record, side))) for record in records] for side in ("chosen", "rejected")]
    longer = [win for win in LongerWins().compare(prompts, texts[0], texts[1]) if win is not None]
    second = [record.chosen_was == 2 for record in records if record.chosen_was is not None]
    told = f"accuracy {right:.3f}, longer wins {sum(longer) / len(longer):.3f}"
    sys.stderr.write(told + (f", always second {sum(second) / len(second):.3f}" if second else "") + "\n")
