"""`python -m benchmarks [NAME ...] [--rounds 5]`: measure, print the table, write results.json and the pages."""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir

import torch

from benchmarks import pages
from benchmarks.line import Line
from benchmarks.lines import MEASURES, Plan

RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASURES)}; all where none is named")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    unknown = set(asked.names) - set(MEASURES)
    if unknown:
        parser.error(f"no measure named {', '.join(sorted(unknown))}; known are {', '.join(MEASURES)}")
    torch.set_num_threads(1)
    folder = Path(gettempdir()) / "operant-benchmarks"
    folder.mkdir(exist_ok=True)
    for name in asked.names or MEASURES:
        lines = list(MEASURES[name](Plan(folder, asked.rounds)))
        keep(name, lines)
        for line in lines:
            sys.stdout.write(shown(line) + "\n")
            sys.stdout.flush()


def shown(line: Line) -> str:
    limits = f"floor {line.floor:<5g} aim {line.aim:<5g}"
    return f"{line.what:38} {line.against:32} {line.measured:24} {limits} {line.verdict}"


def keep(name: str, lines: list[Line]) -> None:
    """Replace this measure's lines on this machine in results.json; the others stay, each with its date and machine."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    about = {"date": datetime.now(UTC).date().isoformat(), "machine": machine(), "torch": torch.__version__}
    others = [one for one in known.get(name, []) if one["machine"] != about["machine"]]
    known[name] = [*others, {**about, "lines": [line._asdict() for line in lines]}]
    known = {one: known[one] for one in MEASURES if one in known}
    RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    pages.fill(known)


def machine() -> str:
    """The processor's own name, where the system tells it, and whether it has AMX: products of bfloat16 hang on it."""
    about = Path("/proc/cpuinfo")
    told = dict(re.findall(r"^(model name|flags)\s*: (.*)$", about.read_text("utf-8"), re.M)) if about.is_file() else {}
    amx = f" {'with' if 'amx_bf16' in told['flags'].split() else 'without'} AMX" if "flags" in told else ""
    return f"{told.get('model name', platform.processor())}{amx}, one thread a process"


if __name__ == "__main__":
    main()
