"""Emotional RAG (Huang et al. 2024): a character answers with memories that are near in meaning and recorded in a mood
like the question's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from operant.card import Card, Claim, Method
from operant.domains.affect.emotions import REQUEST, Vector, by_lexicon, read_scores
from operant.engine.embed import embeddings
from operant.errors import NotApplicable, OperantError, offered
from operant.models.text import Encoded, encode_prompt, shown_prompt
from operant.probes.findings import Probed, probed
from operant.prompting.edits import Edit, with_text
from operant.prompting.memories import Bank, Memory, Retrieval, mood_share, ranked, word_vectors
from operant.prompting.prompted import Prompted, about_of
from operant.schema import Answer, Bench, Decoding, Feedback, Judged, Policy, Products, Prompt
from operant.stats.crossed import over_items

MEASURED = 100  # prompts over which retrieval is measured
SCORED = Decoding(max_tokens=128, temperature=0)
ROLE_PLAY = (
    "You are {role}.{profile} Here is what you remember:\n\n{memories}\n\nAnswer as {role} would, in one paragraph, "
    "and never as an AI.\n\n{question}"
)


@dataclass(frozen=True, kw_only=True)
class Config(Retrieval):
    memories: bool = True  # False: the model without any
    encoder: str = "words"  # of meaning: words, the base itself ("base"), or a directory
    emotions: Literal["rows", "asked"] = "rows"  # the column `emotion` or a lexicon; eight scores of the model
    template: Literal["plain", "role-play"] = "plain"  # memories before the prompt; or told who it is, too


class Moods:
    """The emotion vector of a text; None where there is none."""

    def __init__(self, config: Config, base: Any):
        self.config, self.base = config, base
        self.known: dict[str, Vector | None] = {}

    def of(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[Vector | None]:
        """Args: texts: whose emotion is meant, of memories the character's own words."""
        if self.config.emotions == "rows":
            return [_given(prompt) or by_lexicon(text) for prompt, text in zip(prompts, texts, strict=True)]
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        asked = [Prompt(id=f"emotion of {text}", content=REQUEST.format(text=text)) for text in new]
        replies = self.base.answer(asked, n=1, decoding=SCORED, seed=0) if asked else []
        self.known |= {text: read_scores(str(many[0].value)) for text, many in zip(new, replies, strict=True)}
        return [self.known[text] for text in texts]


def _given(prompt: Prompt) -> Vector | None:
    """The row's own vector, a list of numbers."""
    told = prompt.columns.get("emotion")
    if told is None:
        return None
    if isinstance(told, str) or not all(isinstance(value, int | float) and np.isfinite(value) for value in told):
        raise OperantError(f"column emotion of {prompt.id!r} is {told!r}; expected a list of finite numbers")
    return tuple(float(value) for value in told) if any(told) else None


def memories_of(task: Feedback, moods: Moods) -> tuple[list[Memory], int]:
    """What characters said: single answers, or preferred ones. And how many had no emotion, and were left out."""
    told: list[Judged] = [one for one in offered(lambda: task.judged("train")) if one.label is not False]
    if not told:
        told = [Judged(prompt=pair.prompt, answer=pair.chosen) for pair in offered(lambda: task.pairs("train"))]
    if not told:
        raise NotApplicable(f"{task.name} has no answers that a character could remember")
    vectors = moods.of([one.prompt for one in told], [said(one.prompt, one.answer) for one in told])
    kept = [
        Memory(one.prompt.id, role_of(one.prompt), said(one.prompt, one.answer), vector, _dialogue(one.prompt))
        for one, vector in zip(told, vectors, strict=True) if vector is not None
    ]  # fmt: skip
    return kept, len(told) - len(kept)


def said(prompt: Prompt, answer: Answer) -> str:
    """The previous line and the character's own."""
    line = prompt.content if isinstance(prompt.content, str) else prompt.content[-1]["content"]
    return f"{line} {answer.value}".strip()


def role_of(prompt: Prompt) -> str:
    return str(prompt.columns.get("role") or "")


def _dialogue(prompt: Prompt) -> str:
    return str(prompt.columns.get("dialogue") or "")


@dataclass
class Remembering:
    """What comes back to a prompt, and the prompt with it."""

    config: Config
    bank: Bank
    moods: Moods

    def recalled(self, prompt: Prompt) -> list[Memory]:
        """Nearest first; nothing where the question shows no emotion that memories could go with: then by meaning."""
        places = self.bank.places(role_of(prompt), but=prompt.id, dialogue=_dialogue(prompt))
        if not places:
            return []
        found, how = self._distances(prompt, places)
        return [self.bank.memories[places[at]] for at in ranked(found, how)]

    def _distances(self, prompt: Prompt, places: Sequence[int]) -> Any:
        (mood,) = self.moods.of([prompt], [shown_prompt(prompt.content)])
        how = Retrieval(**{name: getattr(self.config, name) for name in Retrieval.__dataclass_fields__})
        if mood is None:
            mood, how = self.bank.memories[places[0]].mood, replace(how, strategy="meaning", mood_weight=0.5)
        return self.bank.distances(shown_prompt(prompt.content), mood, places), how

    def edit(self, prompt: Prompt) -> Prompt:
        block = "\n\n".join(one.text for one in self.recalled(prompt)) if self.config.memories else ""

        def change(text: str) -> str:
            if self.config.template == "plain":
                return "\n\n".join(filter(None, (block, text)))
            profile = str(prompt.columns.get("profile") or "")
            profile = f" {profile}" if profile else ""
            role = role_of(prompt) or "the speaker"
            return ROLE_PLAY.format(role=role, profile=profile, memories=block, question=text)

        return with_text(prompt, change)


class FirstLine(Prompted):
    """Replies end at their first line's end, as the paper cuts them."""

    def answer(self, prompts: Sequence[Prompt], *, n: int, decoding: Decoding, seed: int) -> list[list[Answer]]:
        drawn = super().answer(prompts, n=n, decoding=decoding, seed=seed)
        return [[first_line(one) for one in many] for many in drawn]


def first_line(answer: Answer) -> Answer:
    """Cut behind the first line that says something; tokens and log-probabilities go with what was cut."""
    text = str(answer.value)
    line = next((line for line in text.splitlines() if line.strip()), "")
    return answer if line == text else Answer(value=line, finish="stop", trace=answer.trace)


def run(config: Config, bench: Bench) -> Products:
    moods = Moods(config, bench.base)
    memories, without = memories_of(bench.task, moods)
    remembering = Remembering(config, bank_of(config, bench.base, memories), moods)
    prompts = (bench.task.prompts("valid") or bench.task.prompts("train"))[:MEASURED]
    found = measured(remembering, prompts, without / max(1, without + len(memories)))
    return Products(generator=generator(config, bench.base, remembering), findings=tuple(found))


def bank_of(config: Config, base: Any, memories: Sequence[Memory]) -> Bank:
    """With the encoder that the settings name."""
    if config.encoder == "words":
        return Bank(memories, word_vectors([one.text for one in memories]))
    if config.encoder == "base":
        return Bank(memories, lambda texts: by_model(base, texts))
    from operant.models.encoder import SentenceEncoder  # loads a model

    encoder = SentenceEncoder(config.encoder)
    return Bank(memories, lambda texts: encoder(texts).numpy())


def by_model(base: Any, texts: Sequence[str]) -> np.ndarray:
    rows = [Encoded(encode_prompt(base.tokenizer, Prompt(id="", content=text)), ()) for text in texts]
    return np.asarray(embeddings(base.module, base.tokenizer, rows).double().numpy())


def measured(remembering: Remembering, prompts: Sequence[Prompt], without: float) -> list[Probed]:
    """Recall of memories that a row calls congruent; what the mood decides of a sum; memories without an emotion."""
    shares, recalls = [], []
    for prompt in prompts:
        places = remembering.bank.places(role_of(prompt), but=prompt.id) if remembering.bank.memories else []
        if len(places) > 1:
            shares.append(mood_share(remembering._distances(prompt, places)[0]))
        wanted = set(prompt.columns.get("congruent") or ())
        if wanted:
            back = {one.id for one in remembering.recalled(prompt)} if remembering.config.memories else set()
            recalls.append(len(back & wanted) / min(len(wanted), remembering.config.k))
    named = (("recall", "share of what comes back, of congruent memories on the topic", recalls),
             ("mood share", "share of a sum of both distances that the mood decides", shares))  # fmt: skip
    found = [probed(key, name, over_items(values), unit="share") for key, name, values in named if len(values) > 1]
    if without:
        low = over_items([without, without])
        found.append(probed("without", "memories without an emotion, which are left out", low, unit="share"))
    return found


def generator(config: Config, base: Any, remembering: Remembering) -> Prompted:
    memories: Any = [one._asdict() | {"mood": list(one.mood)} for one in remembering.bank.memories]
    about: Any = {"memories": memories}
    edit: Edit = remembering.edit
    return (FirstLine if config.template == "role-play" else Prompted)(base, edit, about=about)


def load(config: Config, directory: Path, base: Policy) -> Products:
    kept = [Memory(**{**one, "mood": tuple(one["mood"])}) for one in about_of(directory / "generator")["memories"]]
    remembering = Remembering(config, bank_of(config, base, kept), Moods(config, base))
    assert asdict(config)
    return Products(generator=generator(config, base, remembering))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="emotional-rag",
        family="affect",
        kind="method",
        paper="arXiv:2410.23041",
        title="Emotional RAG: enhancing role-playing agents through emotional retrieval",
        claims=(
            Claim("support", "recall", "up", against="emotional-rag:strategy=meaning", smallest=0.15),
            Claim("support", "consistency", "up", against="emotional-rag:strategy=meaning", smallest=0.03),
            Claim("support", "consistency", "up", against="base", smallest=0.03),
        ),
        baselines=(
            "base",
            "emotional-rag:strategy=meaning",
            "emotional-rag:strategy=multiply",
            "emotional-rag:strategy=meaning-first",
            "emotional-rag:strategy=mood-first",
        ),
        task="support",
        differs=(
            "on the embedded task meaning is a vector of words, not of a sentence encoder, and emotions are valence, "
            "arousal and dominance, given with each row, not eight scores by a language model",
            "scores of a model have their floor taken off, or all cosines would be alike; a text whose scores are all "
            "at the floor has no emotion and is not remembered, and a question without one is answered by meaning",
            "characters are those of a generator, so consistency is exact: no judge rates interviews. Scores of "
            "questionnaires, with reverse keys, are functions (domains/affect/questionnaire.py)",
            "a weighted sum of standardised distances is ours",
        ),
    ),
)
