"""One `fit`, handed the loss; checkpoints that resume exactly.

fit: the loop    checkpoint: its state on disk    pairs: preference rows, reference log-probabilities, fitting on pairs
"""
