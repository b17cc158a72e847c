"""Language models and reward heads behind small doors; with `engine`, the only room that imports transformers.

causal: load, save and copy a causal language model    text: prompts and answers to token ids and back
heads: a reward model on a causal model's body         flops: what one forward pass costs
"""
