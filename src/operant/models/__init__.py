"""Language models and reward heads behind small doors; with `engine`, the only room that imports transformers.

causal: load, save and copy a causal language model    text: prompts and answers to token ids and back
heads: a reward model on a causal model's body         flops: what one forward pass costs
step_heads: a score for every token, for process reward models    steps: where the steps of a solution end
wide_heads: several outputs for as long as it is trained
weights: tensors of a model in one safetensors file    small: models from scratch with random weights
loading: precision, 4 bits, adapters    adapters: LoRA through peft    vocabulary: new tokens    trackers: accelerate's
endpoint: models behind somebody else's server        denoiser: pictures out of noise, through diffusers
"""

import os

# The libraries read these once, while they are imported; any file of this room is imported after this one.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")
