"""What measures a model and changes nothing.

stimuli      does a sentence in the prompt help: exact paired tests, Holm, selection apart from reporting
planted      how often that procedure finds a planted effect, and how often one that is not there
herding      do reward models that agree on ordinary answers agree on those that optimisation finds
reward_accuracy  how often a reward model is right, by the strength of the preference
separable    can a linear probe tell what group a vector belongs to
attribution  which tokens of the prompt an answer hangs on, by the gradient at their embeddings
answers      how probable right answers are behind words put into the model's mouth; positions: in the next ten tokens
usage        what a kind of such words does, over words and questions; teaching: what worked examples with them do
findings     findings with the power and the false alarms of their own test
games        a prompt as a game between its parts; shapley: its values; solving: which rule a budget pays for
decisions    the value of a game: the probability of an answer
second_reading  what a second reading of a question lets a causal model hear
attributed   values of parts over many prompts as findings
"""
