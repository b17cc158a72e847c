"""`train`, `answer` and `score`: one method, one model, one file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from operant.cli.data import printable
from operant.cli.settings import read_settings
from operant.compare.alone import Aside, run_alone
from operant.compare.options import Options
from operant.compare.products import load_generator
from operant.compare.rows import parse_rows
from operant.compare.scorers import score_records, scorer_from
from operant.compare.tasks import ANSWER_TOKENS
from operant.data.layouts import parse_columns
from operant.data.load import load as load_file
from operant.disk import content_hash, read_json
from operant.engine.policy import LanguageModel
from operant.engine.processes import joined, refuse_launched
from operant.errors import OperantError, UnknownName
from operant.schema import Decoding, Generator, Prompt


def run_train(flags: dict[str, Any], *, seed: int, out: Path, aside: Aside) -> None:
    """Train one row at the default budget and save it; with the other processes, where a launcher started several."""
    settings = read_settings(flags, None)
    options = Options.from_json({**settings, "seeds": 1, "trials": 1})
    (row,) = parse_rows(options)
    if options.four_bit:
        refuse_launched("training with --four-bit", instead="or load the base in bfloat16")
    with joined() as here:
        torch.set_num_threads(1)  # accelerate sets its own number
        cost = run_alone(options, row, seed=seed, out=out, aside=aside)
    if here.first:
        sys.stdout.write(f"{row.name}: {cost.flops:.3g} training FLOPs, {cost.labels:.0f} labels; saved to {out}\n")


def run_answer(
    prompts: list[str] | None, *, run: Path | None, row: str, model: str | None, seed: int, n: int,
    max_tokens: int | None, temperature: float, chat: bool,
) -> None:  # fmt: skip
    """Print one answer a line."""
    torch.set_num_threads(1)
    generator = _generator(run, row, model, seed)
    if max_tokens is None:
        max_tokens = ANSWER_TOKENS if run is None else _options(run).answer_tokens
    texts = prompts or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    contents = [({"role": "user", "content": text},) if chat else text for text in texts]
    asked = [Prompt(id=content_hash(text), content=content) for text, content in zip(texts, contents, strict=True)]
    decoding = Decoding(max_tokens=max_tokens, temperature=temperature)
    for many in generator.answer(asked, n=n, decoding=decoding, seed=seed):
        for answer in many:
            sys.stdout.write(printable(str(answer.value), keep="\n") + "\n")


def _generator(run: Path | None, row: str, model: str | None, seed: int) -> Generator:
    if run is not None:
        options = _options(run)
        names = {one.name: one for one in parse_rows(options)}
        if row not in names:
            raise UnknownName(f"row of {run}", row, names)
        directory = run / "models" / f"{names[row].key}-{seed}"
        if not (directory / "product.json").is_file():
            raise OperantError(f"{row} was not kept in {run}; run the comparison with --keep all")
        return load_generator(directory, base=options.model)
    if model is None:
        raise OperantError("give --run with --row, or --model")
    if (Path(model) / "product.json").is_file():
        return load_generator(Path(model))
    return LanguageModel.load(model)


def _options(run: Path) -> Options:
    return Options.from_json(read_json(_there(run / "run.json"))["options"])


def _there(path: Path) -> Path:
    if not path.is_file():
        raise OperantError(f"{path.parent} holds no comparison; give the directory that `operant compare` printed")
    return path


def run_score(
    file: Path, *, scorer: str | None, model: Path | None, out: Path | None, columns: str | None, on_bad_row: Any,
    max_length: int, cache: Path | None, by: str | None = None,
) -> None:  # fmt: skip
    """One JSON line a record with its scores; a summary on standard error."""
    torch.set_num_threads(1)
    if (scorer is None) == (model is None):
        raise OperantError("give one of --scorer SPEC and --model DIR")
    judge = scorer_from(scorer or str(_directory(model)), max_length=max_length, cache=cache)
    records = load_file(file, columns=parse_columns(columns) if columns else None, on_bad_row=on_bad_row).records
    scored = score_records(judge, records, source=str(file), by=by)
    lines = "".join(json.dumps(line) + "\n" for line in scored.lines)
    if out is None:
        sys.stdout.write(lines)
    else:
        out.write_text(lines, encoding="utf-8")
    sys.stderr.write(printable(scored.summary, keep="\n") + "\n")


def _directory(model: Path | None) -> Path:
    if model is None or not model.is_dir():
        raise OperantError(f"no reward model directory at {model}")
    return model
