"""Agents that act in an environment."""
