"""Shapes and types of every objective are checked while these tests run."""

import importlib
import sys

from jaxtyping import install_import_hook

# Reloaded in place, submodules first: another test may have imported them unchecked before this file was read.
with install_import_hook(["operant.ops", "operant.objectives"], "beartype.beartype"):
    importlib.import_module("operant.objectives")
    checked = [name for name in sys.modules if name == "operant.ops" or name.startswith("operant.objectives.")]
    for name in [*sorted(checked, reverse=True), "operant.objectives"]:  # ops before those that import it
        importlib.reload(sys.modules[name])
