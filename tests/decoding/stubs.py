"""A base that draws known numbers, and scorers that read them."""

from random import Random

from operant.disk import answer_seed
from operant.schema import Answer, Decoding, Prompt, Score

PROMPTS = [Prompt(id=name, content=name) for name in ("one", "two", "three")]
DECODING = Decoding(max_tokens=4)


class Numbers:
    """Answer j of a prompt is a number in 0..999, decided by (seed, prompt id, j) as every generator's is."""

    def __init__(self):
        self.asked = []

    def answer(self, prompts, *, n, decoding, seed):
        self.asked.append((n, decoding, seed))
        return [[Answer(value=number(seed, prompt.id, copy)) for copy in range(n)] for prompt in prompts]

    def save(self, directory):
        (directory / "base.txt").write_text("numbers")


def number(seed, prompt_id, copy):
    return str(Random(answer_seed(seed, prompt_id, copy)).randrange(1000))


class ByNumber:
    """The score is the number, or what `of` makes of it; None is unknown."""

    scale = "raw"

    def __init__(self, of=float):
        self.of = of

    def score(self, prompts, answers):
        values = [self.of(int(answer.value)) for answer in answers]
        return [Score(value=value, why="" if value is not None else "cannot tell") for value in values]

    def save(self, directory):
        (directory / "scorer.txt").write_text("by number")
