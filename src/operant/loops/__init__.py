"""Rounds of sampling, scoring, choosing and fitting.

rounds           what a round is made of, and how a method says what it learns from one
imitation        cross-entropy on answers, for methods that imitate before they learn from their own
adaptive_kl      a KL penalty's weight, which follows a target
policy_gradient  a policy that learns from its own answers
"""
