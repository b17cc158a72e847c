"""Tasks on episodes, one file or folder each."""
