"""Samplers, guides and search over a frozen base. A reward is handed in as a function.

best_of: the best of n by a scorer    tilt: resample candidates with weights exp(u / beta) at a chosen KL
guided: other language models, token by token    prefix: a reward model asked at every token
search: trees, of which beam, best-first and Monte Carlo search are a few lines each
majority: self-consistency, the answer most samples agree on
lookahead: DeAL, a reward of where a token leads
step_search: ReST-MCTS*, trees over the steps of an answer    step_answers: policies that search so, or draw as much
nucleus: answers from the likeliest tokens    mixture: several policies as one
"""
