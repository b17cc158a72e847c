"""Tasks on pictures, one file or folder each."""
