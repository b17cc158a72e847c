"""A tokenizer read from tokenizer.json, without torch or transformers."""

from collections.abc import Callable
from pathlib import Path

from operant.errors import OperantError

Encode = Callable[[str], list[int]]


def load_encode(where: str | Path) -> Encode:
    """Text to token ids, without special tokens, cut or padding. `where` holds tokenizer.json, or is that file."""
    path = Path(where)
    path = path / "tokenizer.json" if path.is_dir() else path
    if not path.is_file():
        raise OperantError(f"{where} holds no tokenizer.json; give the folder of a saved model or tokenizer")
    from tokenizers import Tokenizer  # a compiled library: paid for only where it is used

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception for a file it cannot read
        raise OperantError(f"{path} is no tokenizer file: {error}; save one with save_pretrained") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids)
