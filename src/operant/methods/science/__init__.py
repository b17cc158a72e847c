"""Formulas and numbers, found without a base model."""
