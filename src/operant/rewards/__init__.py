"""Answers in, scores out.

model: a learnt reward model as a scorer    judges: trivial judges    transform: centred and combined rewards
user_latent: nets that read who a user is    user_model: a scorer for known users    questions: what to ask a new one
ensemble: several reward models as one      python: a function of the user's own
constraints: keywords and lengths that a program can check
process: one chance a step, by a process reward model    verified: right or wrong, for what a policy drew
likelihood: of a kind next message less that of an unkind one    follow_ups: banks of them    turns: where they stand
keyword_steps: a hint's keywords, one by one    rouge: overlap with a reference
best_worst: pairs from scores
win_rates: answers judged among themselves    side_by_side: a language model that grades all of them at once
own_judge: what a judge asks, answered by a model that is at hand
remote: a reward model behind a server      endpoint_judge: a language model that compares and grades
"""
