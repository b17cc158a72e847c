"""Methods of affect: moods, characters, what they remember."""
