"""Methods that change the words before the answer; nothing is trained."""
