"""Signals that are fed into the network."""
