"""One `fit`, handed the loss; checkpoints that resume exactly.

fit: the loop    update: one step of it    checkpoint: its state on disk    track: what is watched while it runs
pairs: preference rows and reference log-probabilities    demonstrations: answers to imitate    texts: phases of a fit
budgeted: a schedule that the budget pays for    reward: a reward head on pairs    heads: one on anything, again
steps: a process reward model on steps    onward: several fits as one, whose optimiser remembers
held_out: pairs that a method keeps back    extrapolate: beyond where training ended
products: hand over and load a trained policy
"""
