"""Speed in one place: log-probabilities where they count, and our own sampling loop.

batch: token ids to tensors    logps: log-probabilities of answers, exact KL    sampler: n answers per prompt
policy: a language model that answers    reward: batched scores of a reward head
"""
