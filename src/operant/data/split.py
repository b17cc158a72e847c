"""Train, valid and test by prompt: no prompt stands in two of them."""

import math
from collections.abc import Mapping, Sequence
from hashlib import sha256

from operant.data.identity import content_bytes, content_hash
from operant.data.records import Content, Record
from operant.errors import OperantError, require

MAIN = "train"


def prompt_id(prompt: Content) -> str:
    """16 hexadecimal digits of the prompt's content; the same everywhere and always."""
    return sha256(content_bytes(prompt)).hexdigest()[:16]


def split_prompts(records: Sequence[Record], *, seed: int, shares: Mapping[str, float]) -> dict[str, list[Record]]:
    """Records by split, each prompt in one.

    A prompt's place hangs on the seed and its own text alone, so new rows never move old ones; the sizes therefore
    match `shares` on average only. Where the file has a split column it decides. A prompt in several of its splits
    goes to train, so that nothing is tested on what was trained on. Splits in `shares` that the column never names
    are taken out of its train prompts.

    Args:
        shares: split name to its share of prompts; together 1.
    """
    total = math.fsum(shares.values())
    require(shares and all(share >= 0 for share in shares.values()), "shares", dict(shares), "shares of at least 0")
    require(math.isclose(total, 1, abs_tol=1e-6), "the sum of shares", total, "1")
    said = _said(records, shares)
    absent = shares.keys() - set(said.values())
    carved = {name: share for name, share in shares.items() if name == MAIN or name in absent}
    found: dict[str, list[Record]] = {name: [] for name in shares}
    for record in records:
        key = prompt_id(group(record))
        place = said.get(key)
        if place is None:
            place = _draw(key, seed, shares)
        elif place == MAIN and sum(carved.values()) > 0:
            place = _draw(key, seed, carved)
        found[place].append(record)
    return found


def group(record: Record) -> Content:
    """What holds rows together in one split: the prompt, or the whole text where there is none."""
    content = record.prompt if record.prompt is not None else record.text
    assert content is not None
    return content


def _said(records: Sequence[Record], shares: Mapping[str, float]) -> dict[str, str]:
    """The split column's word on each prompt."""
    said: dict[str, str] = {}
    for record in records:
        if record.split is None:
            continue
        if record.split not in shares:
            raise OperantError(
                f"line {record.line} is of split {record.split!r}, for which there is no share; "
                f"expected one of {', '.join(shares)}"
            )
        key = prompt_id(group(record))
        said[key] = record.split if said.get(key, record.split) == record.split else MAIN
    return said


def _draw(key: str, seed: int, shares: Mapping[str, float]) -> str:
    """A split by a number in [0, 1) that hangs on seed and prompt."""
    point = content_hash(key, seed) / 2**64 * math.fsum(shares.values())
    edge = 0.0
    for name, share in shares.items():
        edge += share
        if point < edge:
            return name
    return max(shares, key=lambda name: shares[name])  # rounding: the point lies on the last edge
