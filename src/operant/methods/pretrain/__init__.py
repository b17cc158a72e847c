"""Methods that learn from texts as they stand, from the base on or from random weights."""
