"""Speed in one place: log-probabilities where they count, and our own sampling loop.

batch: token ids to tensors    logps: log-probabilities of answers, exact KL    tokens: terms of token-level objectives
state: texts that grow, with kept keys and values    sampler: n answers per prompt    mix: several models as one
guided: log-probabilities and KL of a mixture        processor: a guide inside transformers' generate
policy: a language model that answers    reward: batched scores of a reward head    activations: means, by hooks

Being built, and not yet what the above runs on:
layout: packed and padded rows    attention: over packed rows    body: hidden states from either
head: log-probabilities in tiles, one pass for a loss    shared, memory: one prompt for many answers
check: whether a model computes its own numbers on a faster path
"""
