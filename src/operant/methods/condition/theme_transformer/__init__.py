"""Theme Transformer: a theme in the encoder, heard through a gate that opens where the piece says that it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from safetensors.torch import load_file, save_file
from torch import Tensor

from operant.card import Card, Claim, Method
from operant.disk import answer_seed, read_json, write_json
from operant.domains.music.chance import Chances, Writer
from operant.domains.music.notes import Piece
from operant.domains.music.tokens import Vocabulary, checked_theme
from operant.errors import require
from operant.methods.condition.theme_transformer.learning import Next, Row, pass_flops, row_losses, row_of
from operant.methods.condition.theme_transformer.net import Net, PrefixTransformer, Shape, ThemeTransformer
from operant.schema import Bench, Decoding, Policy, Products, Prompt
from operant.training.budgeted import Fit, Stage, schedule_for
from operant.training.fit import fit

SHIFTS = 3  # semitones by which a piece and its theme are moved together, at most


@dataclass(frozen=True, kw_only=True)
class Config(Fit):
    """Sizes and settings of the release."""

    condition: Literal["gated", "open", "prefix"] = "gated"  # open: the gate never closes; prefix: a decoder alone
    positions: Literal["theme", "absolute"] = "theme"  # of cross queries: in the theme's region, or in the piece
    exclusive: tuple[bool, ...] = (False, False, False, True, True, True)  # one decoder layer each
    encoder_layers: int = 6
    width: int = 256
    heads: int = 8
    longest: int = 512  # tokens of a piece
    temperature: float = 1.2
    top_p: float = 0.9
    learning_rate: float = 2e-4

    def __post_init__(self) -> None:
        require(self.exclusive, "exclusive", self.exclusive, "a value for each decoder layer, at least one")
        require(self.width % self.heads == 0, "width", self.width, f"a multiple of {self.heads} heads")
        require(self.temperature >= 0, "temperature", self.temperature, "at least 0")
        require(0 < self.top_p <= 1, "top_p", self.top_p, "above 0, at most 1")
        themed = self.condition != "prefix"
        require(themed or self.positions == "theme", "positions", self.positions, "left out with condition=prefix")

    def net(self, vocabulary: Vocabulary, *, seed: int) -> Net:
        shape = Shape(
            tokens=len(vocabulary), width=self.width, heads=self.heads, encoder_layers=self.encoder_layers,
            exclusive=tuple(self.exclusive), longest=self.longest, absolute=self.positions == "absolute",
            always=self.condition == "open",
        )  # fmt: skip
        return (PrefixTransformer if self.condition == "prefix" else ThemeTransformer)(shape, seed=seed)


def composer(net: Net, vocabulary: Vocabulary, config: Config) -> Writer:
    """Writes pieces for themes, at the method's own temperature times that of the decoding."""

    def ready(prompts: Sequence[Prompt], decoding: Decoding) -> Chances:
        themes = [vocabulary.encode_theme(prompt.content) for prompt in prompts]
        themes = [checked_theme(vocabulary, theme, longest=config.longest) for theme in themes]
        temperature = config.temperature * decoding.temperature
        return Next(net, vocabulary, themes, temperature=temperature, top_p=config.top_p)

    def store(directory: Path) -> None:
        write_json(directory / "vocabulary.json", asdict(vocabulary))
        save_file(net.state_dict(), directory / "net.safetensors")

    return Writer(vocabulary, ready, most=config.longest, store=store)


def run(config: Config, bench: Bench) -> Products:
    """Learns from the task's pieces; every piece is moved by as many semitones as its theme, drawn anew."""
    vocabulary = Vocabulary()
    pieces = [one.answer.value for one in bench.task.judged("train")]
    net = config.net(vocabulary, seed=answer_seed(bench.seed, "net") % 2**31)
    rows = [row for piece in pieces for row in shifted(config, vocabulary, piece, bench.seed)]
    learn(net, rows, config, bench)
    return Products(generator=composer(net, vocabulary, config))


def shifted(config: Config, vocabulary: Vocabulary, piece: Piece, seed: int) -> list[Row]:
    """The piece in two keys, the second drawn."""
    shift = Random(answer_seed(seed, str(piece.notes[:8]))).choice([-3, -2, -1, 1, 2, 3])
    return [row_of(vocabulary, piece, longest=config.longest, shift=by) for by in (0, shift)]


def learn(net: Net, rows: Sequence[Row], config: Config, bench: Bench) -> None:
    """Cross-entropy of tokens, their mean over a batch; as many steps as the budget pays for."""

    def loss(part: Sequence[Row], whole: Sequence[Row]) -> Tensor:
        tokens = sum(len(row.ids) - 1 for row in whole)
        return row_losses(net, part) * len(whole) / tokens

    def price(part: Sequence[Row]) -> float:
        return pass_flops(net, part)

    schedule = schedule_for(bench, rows, config, price, seed=bench.seed, stage=Stage(name="pieces"))
    fit(net, rows, loss, schedule, bench.dir / "pieces")


def load(config: Config, directory: Path, base: Policy) -> Products:
    assert base is not None
    vocabulary = Vocabulary(**read_json(directory / "generator" / "vocabulary.json"))
    net = config.net(vocabulary, seed=0)
    weights: Any = load_file(directory / "generator" / "net.safetensors")
    net.load_state_dict(weights)
    return Products(generator=composer(net, vocabulary, config))


METHOD = Method(
    Config,
    run,
    load,
    Card(
        slug="theme-transformer",
        family="condition",
        kind="method",
        paper="arXiv:2111.04093",
        title="Theme Transformer: symbolic music generation with theme-conditioned transformer",
        claims=(
            Claim("melody", "theme", "up", against="theme-transformer:condition=prefix", smallest=0.1),
            Claim("melody", "theme", "up", against="theme-transformer:positions=absolute", smallest=0.0),
            Claim("melody", "variety", "up", against="theme-transformer:condition=open", smallest=0.0),
        ),
        baselines=("base", "theme-transformer:condition=prefix", "theme-transformer:condition=open"),
        task="melody",
        search={"learning_rate": ("x1", "x2", "x0.5", "x4")},
        tiny={
            "width": 64,
            "heads": 4,
            "encoder_layers": 2,
            "exclusive": (False, True),
            "longest": 256,
            "learning_rate": 1e-3,
            "batch_size": 16,
            "temperature": 1.0,
        },
        differs=(
            "single-voice melodies of 12 bars instead of POP909's three tracks; no velocity and no tempo tokens",
            "no dropout, and the learning rate decays linearly instead of by a cosine",
            "where the paper draws again after a token that the grammar forbids, such tokens are never drawn: the same "
            "law, but for its limit of 1024 refusals",
            "a piece and its theme are read in two keys, one of them drawn, instead of a new one every time",
        ),
    ),
)
