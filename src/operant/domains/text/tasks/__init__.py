"""Tasks on text, one file or folder each."""
