"""What a reader says next, in the words of the reviews, so that their base can read it."""

SATISFIED = (
    "that is good .", "this is nice .", "so i would buy it .", "i can say that is excellent .", "and that is all .",
    "that is what i would say .", "i have it all .", "this is superb .", "good , i would buy one .",
    "you made my week .",
)  # fmt: skip
DISSATISFIED = (
    "that is poor .", "this is weak .", "i would not buy it .", "what is this about .", "that is not good .",
    "and what about the one i have .", "not one i would buy .", "this is awful .", "so what .", "it is not the same .",
)  # fmt: skip
TURN = " you say : "  # before what a reader says: words that the base knows
