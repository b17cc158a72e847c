"""What measures a model and changes nothing.

stimuli      does a sentence in the prompt help: exact paired tests, Holm, selection apart from reporting
planted      how often that procedure finds a planted effect, and how often one that is not there
herding      do reward models that agree on ordinary answers agree on those that optimisation finds
reward_accuracy  how often a reward model is right, by the strength of the preference
separable    can a linear probe tell what group a vector belongs to
attribution  which tokens of the prompt an answer hangs on, by the gradient at their embeddings
"""
