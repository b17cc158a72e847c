"""Rows of a comparison: a method with settings. One method can stand in several rows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from operant.card import Method, parse_row
from operant.compare.options import Options
from operant.disk import content_hash
from operant.errors import BadValue, OperantError, UnknownName
from operant.methods import card, load

SMALL = 20_000_000  # parameters below which a card's settings for small models apply
LORA_RATE = 10.0  # times the learning rate of all weights; Schulman 2025, LoRA without regret
SAMPLES = ("n", "candidates")  # settings that --best-of decides unless the row does


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str  # slug, or slug:key=value,...
    slug: str
    settings: dict[str, Any]  # what the row itself says; stronger than defaults and tuning

    @property
    def key(self) -> str:
        """A file name for it."""
        return self.slug if not self.settings else f"{self.slug}-{content_hash(self.settings, length=8)}"


def parse_rows(options: Options) -> list[Row]:
    """Rows in the order given; each must name a method and its settings rightly. Twice the same is once."""
    rows: dict[str, Row] = {}
    for text in options.methods:
        slug, settings = parse_row(text.strip())
        row = Row(name=text.strip(), slug=slug, settings=settings)
        card(slug)
        rows.setdefault(row.key, row)
    return list(rows.values())


def config_of(method: Method, row: Row, options: Options, *, small: bool, chosen: dict[str, Any] | None = None) -> Any:
    """Defaults, then settings for small models, then --best-of and --points, then tuning, then the row's own.

    Where adapters are trained, the default learning rate is that of all weights times LORA_RATE.
    """
    known = {field.name: field.default for field in dataclasses.fields(method.config)}
    values = dict(method.card.tiny) if small else {}
    values |= {name: options.best_of for name in SAMPLES if name in known and options.best_of}
    drawn = {"points": options.points, "max_tokens": options.answer_tokens}
    values |= {name: value for name, value in drawn.items() if name in known}
    if options.lora and "learning_rate" in known:
        rate = values.get("learning_rate", getattr(method.config, "learning_rate", None))
        values |= {"learning_rate": rate * LORA_RATE} if rate else {}
    values |= (chosen or {}) | row.settings
    for name, value in values.items():
        if name not in known:
            raise UnknownName(f"setting of {row.slug}", name, known)
        if isinstance(known[name], tuple) and not isinstance(value, tuple | list):
            raise BadValue(name, value, f"several values, such as {name}=({value!r}, ...)")
    for name, hint in get_type_hints(method.config).items():
        if get_origin(hint) is Literal and name in values and values[name] not in get_args(hint):
            raise UnknownName(f"{name} of {row.slug}", str(values[name]), map(str, get_args(hint)))
    try:
        return method.config(**values)
    except TypeError as error:
        raise BadValue(f"settings of {row.name}", row.settings, f"values of the right kind ({error})") from None


def check_rows(rows: list[Row], options: Options) -> None:
    """Find every mistake in the rows before anything runs."""
    for row in rows:
        try:
            config_of(load(row.slug), row, options, small=True)
        except OperantError as error:
            raise OperantError(f"--method {row.name}: {error}") from None


def config_json(config: Any) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(config).items()}
