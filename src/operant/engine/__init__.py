"""Speed in one place: every pass over a language model. docs/engine.md explains each idea.

batch, layout: token ids to padded or packed rows    attention: over packed rows    body: hidden states from either
head, output: log-probabilities tile by tile, one pass for a loss    check: the trial that shows a model can
logps: log-probabilities of answers, losses, exact KL    tokens: terms of token-level objectives
reference: log-probabilities kept on disk    recompute: layers that keep their inputs alone
sharded: weights in pieces, one in each process    processes: which of them this is
shared, memory: one prompt in memory for many answers    state: texts that grow    sampler: n answers per prompt
mix: several models as one    guided: log-probabilities and KL of a mixture    processor: a guide inside generate
policy: a language model that answers    reward: batched scores of a reward head    activations: means, by hooks
embed: a text as one vector    token_scores, step_scores: one number for every token, every step
answer_states: log-probabilities and the hidden states behind them
prefixes: texts of a tree that begin alike, read once    denoising: guided sampling of pictures
rollouts: answers to learn from, with what they were drawn at
"""
