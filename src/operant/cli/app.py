"""Every command with its flags; the work is elsewhere, and is imported when a command starts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from operant.cli import data
from operant.serve.command import serve

app = typer.Typer(
    name="operant", help="Condition generative models, and prove that it worked.", no_args_is_help=True,
    rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
methods = typer.Typer(help="The methods there are.", invoke_without_command=True, rich_markup_mode=None)
app.add_typer(methods, name="methods")
app.add_typer(data.app, name="data", help="Look at a file of feedback before anything runs, and convert it.")


def _flag(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text)


@app.command()
def compare(
    task: Annotated[str | None, _flag("an embedded task, such as reviews, arithmetic or instructions")] = None,
    model: Annotated[str | None, _flag("your model: a directory, a hub name, or endpoint:NAME@URL")] = None,
    file: Annotated[str | None, _flag("your feedback: a file of any layout", "--data")] = None,
    methods: Annotated[str | None, _flag("slugs, separated by commas")] = None,
    method: Annotated[list[str] | None, _flag("one row, slug[:key=value,...]; repeat for more")] = None,
    seeds: Annotated[int | None, _flag("seeds 0..N-1 [5]")] = None,
    limit: Annotated[int | None, _flag("feedback rows, before the split")] = None,
    prompts: Annotated[int | None, _flag("test prompts")] = None,
    max_tokens: Annotated[int | None, _flag("tokens of an answer [24; what the task's own answers take]")] = None,
    max_length: Annotated[int | None, _flag("tokens of prompt and answer together [512]")] = None,
    best_of: Annotated[int | None, _flag("samples of methods that choose among samples [their own: 16 or 128]")] = None,
    points: Annotated[int | None, _flag("checkpoints on a curve [3]")] = None,
    trials: Annotated[int | None, _flag("tuning trials for every row [4]")] = None,
    budget: Annotated[float | None, _flag("training FLOPs of one run [3 epochs of dpo]")] = None,
    columns: Annotated[str | None, _flag("ours=theirs,...: name the columns of --data")] = None,
    scorer: Annotated[str | None, _flag("what grades answers to --data [a held-out judge]; as in `score`")] = None,
    dtype: Annotated[str | None, _flag("float32 or bfloat16 [float32]")] = None,
    lora: Annotated[int | None, _flag("methods train adapters of this rank [all weights]")] = None,
    four_bit: Annotated[bool | None, typer.Option("--four-bit", help="load the base in 4 bits; needs CUDA")] = None,
    on_bad_row: Annotated[str | None, _flag("stop or skip [stop]")] = None,
    out: Annotated[Path | None, _flag("directory of the run [runs/<task>-<hash>]")] = None,
    keep: Annotated[str, _flag("models to keep: best, all or none")] = "best",
    workers: Annotated[int | None, _flag("worker processes [one a core]")] = None,
    config: Annotated[Path | None, _flag("YAML with the same settings; flags are stronger")] = None,
    report_to: Annotated[list[str] | None, _flag("tensorboard, wandb, trackio or mlflow; repeat for more")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="say what it would take, and stop")] = False,
) -> None:
    """Run methods on one task under one budget, and write one honest report."""
    from operant.cli.compare import run_compare

    flags = {
        "task": task, "model": model, "data": file, "seeds": seeds, "limit": limit, "prompts": prompts,
        "max_tokens": max_tokens, "max_length": max_length, "best_of": best_of, "points": points, "trials": trials,
        "budget": budget, "columns": columns, "on_bad_row": on_bad_row, "scorer": scorer, "dtype": dtype,
        "lora": lora, "four_bit": four_bit,
        "methods": [*(methods.split(",") if methods else ()), *(method or ())] or None,
    }  # fmt: skip
    raise typer.Exit(
        run_compare(flags, config=config, out=out, keep=keep, workers=workers, plan=plan, report_to=report_to or ())
    )


@methods.callback()
def list_methods(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Every method with its family and evidence."""
    if context.invoked_subcommand is None:
        from operant.cli.methods import show_all

        show_all(as_json=as_json)


@methods.command("show")
def show_method(slug: str, as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False) -> None:
    """One method: its card and what was measured of its claims."""
    from operant.cli.methods import show_one

    show_one(slug, as_json=as_json)


@app.command()
def train(
    method: str,
    model: Annotated[str | None, _flag("your model: a directory, a hub name, or endpoint:NAME@URL")] = None,
    file: Annotated[str | None, _flag("your feedback: a file of any layout", "--data")] = None,
    task: Annotated[str | None, _flag("an embedded task instead, such as reviews")] = None,
    out: Annotated[Path, _flag("where the result goes")] = Path("trained"),
    seed: int = 0,
    columns: Annotated[str | None, _flag("ours=theirs,...")] = None,
    on_bad_row: Annotated[str, _flag("stop or skip")] = "stop",
    max_length: Annotated[int, _flag("tokens of prompt and answer together")] = 512,
    budget: Annotated[float | None, _flag("training FLOPs [3 epochs of dpo]")] = None,
    scorer: Annotated[str | None, _flag("what says whether an answer is right: verifier")] = None,
    dtype: Annotated[str, _flag("float32 or bfloat16")] = "float32",
    lora: Annotated[int | None, _flag("train adapters of this rank [all weights]")] = None,
    four_bit: Annotated[bool, typer.Option("--four-bit", help="load the base in 4 bits; needs CUDA")] = False,
    merge: Annotated[bool, typer.Option("--merge", help="save adapters as plain weights")] = False,
    report_to: Annotated[list[str] | None, _flag("tensorboard, wandb, trackio or mlflow; repeat for more")] = None,
    push_to_hub: Annotated[str, _flag("owner/name on the Hugging Face hub to upload to [nothing is sent]")] = "",
) -> None:
    """Train one method, slug[:key=value,...], and save what it hands over."""
    from operant.cli.work import run_train
    from operant.compare.alone import Aside

    options = {"model": model, "data": file, "task": task, "columns": columns, "on_bad_row": on_bad_row,
               "max_length": max_length, "budget": budget, "scorer": scorer, "dtype": dtype, "lora": lora,
               "four_bit": four_bit, "methods": [method]}  # fmt: skip
    run_train(options, seed=seed, out=out, aside=Aside(report_to=report_to or (), merge=merge, push_to_hub=push_to_hub))


@app.command()
def answer(
    prompt: Annotated[list[str] | None, typer.Argument(help="prompts; none: read lines from standard input")] = None,
    run: Annotated[Path | None, _flag("directory of a comparison")] = None,
    row: Annotated[str, _flag("which row of it")] = "base",
    model: Annotated[str | None, _flag("a model directory, or what `operant train` wrote, instead of --run")] = None,
    seed: int = 0,
    n: Annotated[int, _flag("answers per prompt", "-n")] = 1,
    max_tokens: Annotated[int | None, _flag("tokens of an answer [as the run; 24]")] = None,
    temperature: float = 1.0,
    chat: Annotated[bool, typer.Option("--chat", help="prompts are messages: use the model's chat template")] = False,
) -> None:
    """Answer prompts with a model, or with a row of a comparison."""
    from operant.cli.work import run_answer

    run_answer(
        prompt, run=run, row=row, model=model, seed=seed, n=n, max_tokens=max_tokens, temperature=temperature, chat=chat
    )


@app.command()
def score(
    file: Path,
    scorer: Annotated[
        str | None, _flag("verifier, constraints, DIR, module:name, http://host/get_reward or judge:MODEL@URL")
    ] = None,
    model: Annotated[Path | None, _flag("a reward model directory; the same as --scorer DIR")] = None,
    out: Annotated[Path | None, _flag("JSON Lines to write [standard output]")] = None,
    columns: Annotated[str | None, _flag("ours=theirs,...")] = None,
    on_bad_row: Annotated[str, _flag("stop or skip")] = "stop",
    max_length: Annotated[int, _flag("tokens of prompt and answer, for a reward model that does not say")] = 512,
    cache: Annotated[Path | None, _flag("directory that keeps a judge's replies")] = None,
    by: Annotated[str | None, _flag("a column of the file: the summary also for each of its values")] = None,
) -> None:
    """Score the answers of a file with any scorer; for pairs also its accuracy beside the trivial judges."""
    from operant.cli.work import run_score

    run_score(
        file, scorer=scorer, model=model, out=out, columns=columns, on_bad_row=on_bad_row, max_length=max_length,
        cache=cache, by=by,
    )  # fmt: skip


@app.command()
def report(run: Path) -> None:
    """Write the pages of a finished comparison again from its report.json."""
    from operant.cli.compare import run_report

    run_report(run)


@app.command()
def verify(
    slugs: Annotated[list[str] | None, typer.Argument(help="methods [all that make a claim]")] = None,
    method: Annotated[list[str] | None, _flag("another row to stand beside, slug[:key=value,...]; repeat")] = None,
    seeds: Annotated[int, _flag("seeds")] = 5,
    trials: Annotated[int, _flag("tuning trials for every row")] = 4,
    evidence: Annotated[Path, _flag("where evidence files live")] = Path("evidence"),
    workers: Annotated[int | None, _flag("worker processes [one a core]")] = None,
) -> None:
    """Test the cards' claims at equal budget and tuning, and append the attempt to evidence/<slug>.json."""
    from operant.cli.compare import run_verify

    run_verify(slugs or [], extra=method or [], seeds=seeds, trials=trials, evidence=evidence, workers=workers)


@app.command()
def env() -> None:
    """Versions and machine, for a bug report. No key is shown."""
    from operant.compare.assemble import environment

    typer.echo(json.dumps({**environment(), "cores": os.cpu_count()}, indent=1))


app.command()(serve)
