"""How an item is put to a model: two instructions for every task, the frame around them, and the words of inputs."""

from __future__ import annotations

from collections.abc import Iterable

KINDS = {
    "category": "classification", "mood": "classification", "colour": "qa", "report": "qa", "count": "counting",
    "reverse": "transformation", "first": "transformation", "last": "transformation",
}  # fmt: skip
TASKS = tuple(KINDS)
INSTRUCTIONS = {
    "category": ("Write the kind that most words are of.", "Name the category of most of the words."),
    "mood": ("Write whether most words are positive or negative.", "Name the mood of most of the words."),
    "colour": ("Write the colour of the thing asked for.", "Answer the question about a colour."),
    "report": ("Write the numbers of the letter asked for.", "Report all numbers that follow the letter."),
    "count": ("Count the letter asked for.", "Write how often the letter occurs."),
    "reverse": ("Write the words in reverse order.", "Repeat the words from last to first."),
    "first": ("Write the first word.", "Repeat the word that comes first."),
    "last": ("Write the last word.", "Repeat the word that comes last."),
}
CATEGORIES = {
    "animal": ("cat", "dog", "cow", "fox", "owl", "bee", "hen", "pig"),
    "fruit": ("apple", "pear", "plum", "fig", "lemon", "grape", "melon", "cherry"),
    "tool": ("hammer", "saw", "drill", "wrench", "file", "chisel", "rake", "spade"),
    "cloth": ("shirt", "sock", "glove", "hat", "scarf", "coat", "belt", "boot"),
}
MOODS = {
    "positive": ("good", "lovely", "bright", "kind", "calm", "fresh", "warm", "witty"),
    "negative": ("bad", "awful", "dull", "rude", "noisy", "stale", "cold", "silly"),
}
COLOURS = ("red", "blue", "green", "black", "white", "brown")
LETTERS = ("a", "b", "c", "d", "e", "f")
DIGITS = tuple("0123456789")
NOUNS = tuple(word for words in CATEGORIES.values() for word in words)
AGAIN = "Read the question again:"
FILLER = "..."
OUTPUT = "Output:"  # before the answers of worked examples


def framed(instruction: str, text: str) -> str:
    """The prompt: the zero-shot template of EmotionPrompt's harness."""
    return f"Instruction: {instruction}\n\nInput: {text}\nAnswer: "


def vocabulary(sentences: Iterable[str] = ()) -> list[str]:
    """Every word of prompts and answers and of `sentences`, as they stand between white space, in a fixed order."""
    texts = [*(text for both in INSTRUCTIONS.values() for text in both), framed("", ""), AGAIN, FILLER, OUTPUT]
    known = {word for text in (*texts, *sentences) for word in text.split()}
    known |= {*NOUNS, *CATEGORIES, *MOODS, *COLOURS, *LETTERS, *DIGITS, ";", "?", "none"}
    return sorted(known.union(*MOODS.values()))
