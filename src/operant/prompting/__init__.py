"""The words before the answer.

stimuli   sentences with a name and a theory behind them: StimulusSet, EMOTIONAL
edits     prompts changed as pure functions: a sentence behind the instruction, templates, worked examples
hints     a hint in a prompt, and where hints come from    hinted  a policy that writes them for a frozen model
memories  a bank with two channels, meaning and mood, and the orders in which they come back
repeated  a question read again    frames  what stands around one    room  whether it still fits the model
markers   expressions of certainty and doubt, with their tags
parts     a prompt taken apart into phrases, lines, words or columns
prompted  a generator that asks its base changed prompts
"""
