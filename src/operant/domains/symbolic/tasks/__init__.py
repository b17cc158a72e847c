"""Tasks on formulas, one file or folder each."""
