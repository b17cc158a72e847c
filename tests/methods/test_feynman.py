"""Formulas of physics by other people: every row of the Feynman table is read, and short ones are found.

OPERANT_TEST_DATA names the folder that holds the table.
"""

import csv
import io
import os
from pathlib import Path

import numpy as np
import pytest

from operant.domains.symbolic.exact import same
from operant.domains.symbolic.expression import compute
from operant.domains.symbolic.grammar import read
from operant.methods.science.rsrm import Config, discover

ROOT = os.environ.get("OPERANT_TEST_DATA")
pytestmark = pytest.mark.skipif(ROOT is None, reason="OPERANT_TEST_DATA is unset: no real data to read")


def rows():
    """(name, tokens, points, values) of each; the columns of variables count, as two rows state one too few."""
    path = Path(ROOT or "") / "symbolic_regression/feynman_equations.csv"
    for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))):
        places = [place for place in range(1, 11) if row[f"v{place}_name"]]
        tokens = read(row["Formula"], variables=[row[f"v{place}_name"] for place in places]) if places else ()
        rng = np.random.default_rng(0)
        spans = [(float(row[f"v{place}_low"]), float(row[f"v{place}_high"])) for place in places]
        points = np.stack([rng.uniform(*span, size=50) for span in spans], 1) if spans else np.zeros((50, 0))
        yield row["Filename"], tokens, points, compute(tokens, points) if places else points


def test_every_formula_is_read_and_defined_over_its_ranges():
    found = [(name, bool(np.isfinite(values).all())) for name, tokens, _, values in rows() if tokens]
    assert len(found) == 75
    assert [name for name, whole in found if not whole] == []


@pytest.mark.parametrize("name", ["I.12.1", "I.14.3", "I.25.13"])
def test_a_product_is_found_symbolically(name):
    tokens, points, values = next(row[1:] for row in rows() if row[0] == name)
    got = discover(points, values, config=Config(constants=False), evaluations=10_000, seed=0)
    assert same(got.tokens, tokens, variables=points.shape[1])
