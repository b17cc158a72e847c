"""One `fit`, handed the loss; checkpoints that resume exactly.

fit: the loop    checkpoint: its state on disk    pairs: preference rows and reference log-probabilities
budgeted: a schedule that the budget pays for    products: hand over and load a trained policy
"""
