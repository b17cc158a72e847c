"""`python -m operant` is the `operant` command."""

from operant.cli import main

main()
