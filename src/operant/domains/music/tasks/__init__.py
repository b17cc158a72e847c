"""Tasks on pieces, one file or folder each."""
