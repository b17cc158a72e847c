"""What methods hand over, on disk: computed once per seed, charged in full to everyone who uses it."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from operant.card import Card, Method
from operant.compare.model_card import write_model_cards
from operant.compare.tasks import embedded
from operant.disk import locked, read_json, whole_directory, write_json
from operant.engine.policy import open_model
from operant.engine.processes import gathered, place, wait
from operant.errors import OperantError
from operant.meter import Cost, charge_cost, metered
from operant.methods import load
from operant.models.loading import Loading
from operant.probes.findings import FILE, from_json
from operant.schema import Bench, Generator, Policy, Products


def save_products(
    products: Products, directory: Path, about: dict[str, Any], card: Card | None = None, *, beside: Path | None = None
) -> None:
    """generator/, scorer/ and what they are, whole or absent; a model card in each where the method's card is given.

    What lies in `beside` (logs) is saved along.
    """
    with whole_directory(directory) as partial:
        for name in ("generator", "scorer"):
            part = getattr(products, name)
            if part is not None:
                (partial / name).mkdir()
                part.save(partial / name)
        findings = [asdict(finding) for finding in products.findings]
        if card is not None:
            write_model_cards(partial, about, card)
        if beside is not None:
            shutil.copytree(beside, partial, dirs_exist_ok=True)
        write_json(partial / FILE, {**about, "findings": findings})


def make(method: Method, config: Any, bench: Bench, directory: Path, *, about: dict[str, Any]) -> None:
    """Run a method into the cache unless it is there; other runs wait for the lock.

    Who made it loads it from disk as well, so that both work with the same numbers. Of processes that train together
    the first holds the lock and saves.
    """
    first = place().first
    with locked(directory.with_name(f".{directory.name}.lock")) if first else nullcontext():
        if not gathered((directory / FILE).is_file())[0]:
            with metered() as cost:
                products = method.run(config, bench)
            if first:
                save_products(products, directory, {**about, "cost": cost.to_json()})
                shutil.rmtree(bench.dir, ignore_errors=True)
            wait()


def load_made(method: Method, config: Any, directory: Path, base: Policy) -> Products:
    """What `make` stored, findings included."""
    products = method.load(config, directory, base)
    findings = tuple(from_json(one) for one in read_json(directory / FILE)["findings"])
    return replace(products, findings=findings)


def charge_made(directory: Path) -> None:
    """A product that was computed once is charged in full to everyone who uses it."""
    charge_cost(Cost(**read_json(directory / FILE)["cost"]))


def load_generator(directory: Path, *, base: str | None = None) -> Generator:
    """The generator that a method saved, on the base that lies beside it, or else `base`.

    In the precision of its run: in another the same seed gives other answers.
    """
    about = read_json(directory / FILE)
    loading = Loading(dtype=about.get("dtype", "float32"))
    method = load(about["slug"])
    config = method.config(**{k: tuple(v) if isinstance(v, list) else v for k, v in about["config"].items()})
    if about.get("subject", "text") != "text":  # its base is the task's own
        made = method.load(config, directory, embedded(about["task"], seed=about["seed"]).base(loading))
        assert made.generator is not None
        return made.generator
    inside = next((p for p in (directory / "generator/base", directory / "generator") if p.is_dir()), base)
    if inside is None:
        raise OperantError(f"{directory} holds no generator; {about['slug']} hands over a scorer")
    model: Any = open_model(inside, loading)  # an endpoint has no weights; a method that needs them says so
    generator = method.load(config, directory, model).generator
    if generator is None:
        raise OperantError(f"{about['slug']} hands over a scorer, which answers nothing; use `operant score`")
    return generator
