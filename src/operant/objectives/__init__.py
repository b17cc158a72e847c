"""Losses and estimators as pure functions: tensors and numbers in, one value per example out; the caller reduces.

likelihood  negative log-likelihood of an answer: its sum, its mean, its share of a batch's token mean
preference  DPO, RPO, autoregressive rewards, DPO with masked tokens
reward      Bradley-Terry, for reward models
soft_preference  DPO on labels that are probabilities
graded      Bradley-Terry weighted by the strength of a preference; squared error of ratings
latent      KL of a Gaussian belief to its prior, and its annealing
hidden_context  reward models that are distributions: normal, or over a few values
transform   what a reward becomes before it is maximised: log-sigmoid-centred, and the plain ways to compare with
weighted    likelihood of texts with wanted and unwanted parts: unlikelihood, weights by reward
kl          k1, k2, k3 from sampled tokens, by token or summed, and the exact KL from logits
advantage   what an answer or a token was worth beyond the expected: leave-one-out, group-relative, GAE
policy_gradient   REINFORCE, RLOO, PPO and GRPO, a critic's value loss
process     rewards of steps that cannot be farmed: clipped, and each less the next
reduction   how values of tokens become one value an answer
denoising   what a denoiser learns: noise, velocity, flow
"""

from operant.objectives.advantage import generalised_advantages, group_relative, leave_one_out
from operant.objectives.kl import kl_full, kl_k1, kl_k2, kl_k3, token_k1, token_k2, token_k3
from operant.objectives.likelihood import answer_nll_batch_mean, answer_nll_mean, answer_nll_sum
from operant.objectives.policy_gradient import (
    clipped_tokens,
    ppo_loss,
    reinforce_loss,
    rloo_loss,
    token_ratios,
    value_loss,
)
from operant.objectives.preference import arm_loss, dpo_loss, rpo_loss, smoothed_dpo_loss, token_dpo_loss
from operant.objectives.reduction import answer_mean, answer_sum, batch_token_mean, length_mean
from operant.objectives.reward import bradley_terry_loss, centred_bradley_terry_loss
from operant.objectives.transform import (
    clipped,
    log_sigmoid_centred,
    log_sigmoid_sum,
    normalised_sum,
    raw_sum,
    sigmoid_centred,
)
from operant.objectives.weighted import reward_weights, unlikelihood_batch_mean, weighted_nll_batch_mean

__all__ = [
    "answer_mean",
    "answer_nll_batch_mean",
    "answer_nll_mean",
    "answer_nll_sum",
    "answer_sum",
    "arm_loss",
    "batch_token_mean",
    "bradley_terry_loss",
    "centred_bradley_terry_loss",
    "clipped",
    "clipped_tokens",
    "dpo_loss",
    "generalised_advantages",
    "group_relative",
    "kl_full",
    "kl_k1",
    "kl_k2",
    "kl_k3",
    "leave_one_out",
    "length_mean",
    "log_sigmoid_centred",
    "log_sigmoid_sum",
    "normalised_sum",
    "ppo_loss",
    "raw_sum",
    "reinforce_loss",
    "reward_weights",
    "rloo_loss",
    "rpo_loss",
    "sigmoid_centred",
    "smoothed_dpo_loss",
    "token_dpo_loss",
    "token_k1",
    "token_k2",
    "token_k3",
    "token_ratios",
    "unlikelihood_batch_mean",
    "value_loss",
    "weighted_nll_batch_mean",
]
