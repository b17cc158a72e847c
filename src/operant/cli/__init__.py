"""Thin doors: parse, call, print. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys

from operant.errors import OperantError


def main() -> None:
    """The `operant` command. Exit status: 0 done, 1 some cells failed, 2 bad input."""
    from operant.cli.app import app
    from operant.cli.data import printable

    try:
        app()
    except OperantError as error:
        sys.stderr.write(f"operant: {printable(str(error), keep=chr(10))}\n")
        raise SystemExit(2) from None
