"""What a comparison is asked to do; hashed, with data and code, into the key of its directory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

import operant
from operant.compare.tasks import ANSWER_TOKENS, answer_tokens, task_names
from operant.disk import content_hash
from operant.errors import OperantError, UnknownName, require
from operant.models.adapters import Lora
from operant.models.loading import Loading
from operant.schema import Json

POOL = 16


@dataclass(frozen=True, kw_only=True)
class Options:
    """One comparison. Either `task`, or `model` with `data`."""

    methods: tuple[str, ...]  # row names: slug[:key=value,...]
    task: str | None = None
    model: str | None = None
    data: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)  # ours -> theirs, for `data`
    on_bad_row: Literal["stop", "skip"] = "stop"
    scorer: str | None = None  # what grades answers on user data; None: a held-out judge
    dtype: str = "float32"  # in which the base computes
    lora: int | None = None  # rank of the adapters that methods train; None: all weights
    four_bit: bool = False  # the base's weights in 4 bits
    seeds: int = 5
    limit: int | None = None  # feedback rows, before the split
    prompts: int | None = None  # test prompts
    max_tokens: int | None = None  # of an answer; None: the task's own number
    max_length: int = 512  # tokens of prompt and answer together
    best_of: int | None = None  # samples of methods that choose among samples; None: each method's own
    points: int = 3
    trials: int = 4
    budget: float | None = None  # training FLOPs; None: 3 epochs of dpo

    def __post_init__(self) -> None:
        if (self.task is None) == (self.model is None or self.data is None):
            raise OperantError("give either --task, or --model together with --data")
        if self.task is not None and self.task not in task_names():
            raise UnknownName("task", self.task, task_names())
        if self.task is not None and self.scorer is not None:
            raise OperantError(f"--scorer grades a file of yours; task {self.task} has its own gold")
        _ = self.loading  # which refuses wrong settings
        require(self.methods, "methods", "nothing", "at least one method; see `operant methods`")
        for name in ("seeds", "points", "trials"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        require(self.answer_tokens >= 1, "max_tokens", self.answer_tokens, "at least 1")
        require(self.best_of is None or self.best_of >= 2, "best_of", self.best_of, "at least 2")
        above = f"above max_tokens {self.answer_tokens}"
        require(self.max_length > self.answer_tokens, "max_length", self.max_length, above)
        require(self.prompts is None or self.prompts >= 2, "prompts", self.prompts, "at least 2")
        require(self.limit is None or self.limit >= 20, "limit", self.limit, "at least 20 rows")
        require(self.budget is None or self.budget > 0, "budget", self.budget, "above 0 FLOPs")

    def to_json(self) -> dict[str, Json]:
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: dict) -> Options:
        return cls(**{**values, "methods": tuple(values["methods"])})

    @property
    def answer_tokens(self) -> int:
        """The most tokens of an answer: as asked for, or what the task's own answers take."""
        if self.max_tokens is not None:
            return self.max_tokens
        return ANSWER_TOKENS if self.task is None else answer_tokens(self.task)

    @property
    def loading(self) -> Loading:
        """How the base is loaded and copies of it are trained."""
        lora = None if self.lora is None else Lora(rank=self.lora)
        return Loading(dtype=self.dtype, four_bit=self.four_bit, lora=lora)

    @property
    def pool(self) -> int:
        """Base answers per test prompt that judges are tried on."""
        return self.best_of or POOL

    @property
    def name(self) -> str:
        return self.task or Path(str(self.data)).name.split(".")[0]


@lru_cache(maxsize=1)
def code_hash() -> str:
    """Of every Python source in the package: a changed line starts a new run."""
    root = Path(operant.__file__).parent
    return content_hash([path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.py"))])


def file_hash(path: str) -> str:
    """Of a data file, or of the names, sizes and configuration of a model directory."""
    where = Path(path)
    if where.is_dir():
        files = sorted(one for one in where.rglob("*") if one.is_file())
        return content_hash([[one.name, one.stat().st_size, one.stat().st_mtime_ns] for one in files])
    if not where.exists():
        return content_hash(path)
    with where.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:12]


def run_key(options: Options, identity: Json) -> str:
    files = [file_hash(path) for path in (options.model, options.data) if path]
    return content_hash([options.to_json(), identity, files, code_hash()])
