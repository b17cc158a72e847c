"""Tasks of affect, one folder each."""
