"""WHAT is conditioned: a folder per subject, each with the same parts (represent, metrics, tiny, tasks)."""
