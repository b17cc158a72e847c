"""What an agent gets for coming somewhere new: the bonus belongs to the state reached.

reached    one step of many environments, as every bonus sees it
counts     1 / sqrt(visits): over all of training, or within the episode
elliptical novelty of a feature vector within the episode
distilled  novelty over all of training: how badly a net predicts a fixed one
dynamics   features that tell which action was taken
scale      the running size of a bonus
wrappers   the same bonuses around any gymnasium environment
"""
