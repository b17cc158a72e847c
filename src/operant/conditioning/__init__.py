"""Signals fed into the network: what is read and not learnt, tags between segments, and answers under them.

text: texts as rows with a prefix and tags    conditioned: a model that answers behind a prefix or a tag
gated_parallel: attention to what was written and to a condition, side by side
gated_tokens: tokens attended to together with what is there, behind a gate    boxes: as waves, and what lies between
"""
