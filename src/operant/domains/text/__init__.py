"""Text: answers are strings. metrics: length, distinct-n, self-BLEU; represent: dump, load, show; tasks: reviews."""
