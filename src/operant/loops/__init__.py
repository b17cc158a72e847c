"""Rounds of sampling, scoring, choosing and fitting.

rounds           what a round is made of, and how a method says what it learns from one
step_labels      how right steps are, by how often the base comes from them to a right answer
policy_gradient  a policy that learns from its own answers
"""
