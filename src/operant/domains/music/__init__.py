"""Music: answers are pieces of notes.

notes: notes, pieces, themes    tokens: pieces as tokens, and which token may come next    midi: files, written and read
compose: pieces in which a theme returns    chance: a base that writes legal tokens at random
represent: dump, load, show    metrics: how far a theme comes back    tasks: melody
"""
