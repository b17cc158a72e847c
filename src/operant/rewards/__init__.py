"""Answers in, scores out.

model: a learnt reward model as a scorer    judges: trivial judges    transform: centred and combined rewards
user_latent: nets that read who a user is    user_model: a scorer for known users    questions: what to ask a new one
ensemble: several reward models as one      python: a function of the user's own
constraints: keywords and lengths that a program can check
likelihood: of a kind next message less that of an unkind one    follow_ups: banks of them    turns: where they stand
keyword_steps: a hint's keywords, one by one    rouge: overlap with a reference
best_worst: pairs from scores
remote: a reward model behind a server      endpoint_judge: a language model that compares and grades
"""
