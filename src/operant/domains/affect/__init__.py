"""Affect: answers are strings; what is conditioned is how they go with moods and characters.

represent: dump, load, show    emotions: vectors of moods, by a lexicon or by asking a model
questionnaire: scores of personality items, with reverse keys    tasks: support
"""
