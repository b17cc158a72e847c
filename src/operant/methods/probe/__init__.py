"""Methods that measure a model and hand over findings."""
