"""Operant: condition generative models, and prove that it worked."""

__version__ = "0.1.0"
