"""Settings from a YAML file, with flags on top; an unknown key names the file, the key and the nearest known one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from operant.compare.options import Options
from operant.data.layouts import parse_columns
from operant.errors import OperantError, UnknownName


def read_settings(flags: dict[str, Any], config: Path | None) -> dict[str, Any]:
    """What was said, by flag or in the file; flags win."""
    settings = _from_file(config) if config else {}
    settings |= {name: value for name, value in flags.items() if value is not None}
    if isinstance(settings.get("columns"), str):
        settings["columns"] = dict(parse_columns(settings["columns"]))
    if isinstance(settings.get("methods"), str):
        settings["methods"] = settings["methods"].split(",")
    return settings


def _from_file(path: Path) -> dict[str, Any]:
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        raise OperantError(f"no configuration file {path}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OperantError(f"{path} is not YAML: {error}") from None
    if not isinstance(settings, dict):
        raise OperantError(f"{path} holds a {type(settings).__name__}; expected `key: value` lines")
    fields = {field.name: field for field in dataclasses.fields(Options)}
    settings = {str(key).replace("-", "_"): value for key, value in settings.items()}
    for key, value in settings.items():
        if key not in fields:
            raise UnknownName(f"setting in {path}", key, fields)
        wanted = KINDS.get(str(fields[key].type).split(" |")[0])
        if wanted and value is not None and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise OperantError(f"{path}: {key} is {value!r}; expected {fields[key].type}")
    return settings


KINDS: dict[str, Any] = {"int": int, "float": (int, float), "str": str}
