"""Rounds of sampling, scoring, choosing and fitting.

rounds           what a round is made of, and how a method says what it learns from one
step_labels      how right steps are, by how often the base comes from them to a right answer
regularised      more of a reward at a price for KL
told             what rounds showed, as findings
adaptive_kl      a KL penalty's weight, which follows a target
policy_gradient  a policy that learns from its own answers
student          a policy that is trained fit after fit, in place, within one budget
iterated_preference  pairs of a policy's own answers, judged and learnt from round after round
sample_filter_fit    a policy that imitates those of its own answers that pass a filter
given            solutions that come with prompts
imitation        answers to imitate, as a loss
denoising        what a denoiser loses on pictures, at times and under noise drawn for each
"""
