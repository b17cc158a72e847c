"""Hashes by which the same content is known again: on every machine, in every process."""

import json
from hashlib import blake2b

from operant.data.records import Content


def content_bytes(content: Content) -> bytes:
    """Bytes that differ where the content does; a text and a one-message dialogue never share theirs."""
    if isinstance(content, str):
        return b"t" + content.encode("utf-8", "surrogatepass")
    dialogue = [[message["role"], message["content"]] for message in content]
    return b"m" + json.dumps(dialogue).encode("ascii")


def content_hash(*parts: Content | int) -> int:
    """64 bits of the parts in order. Two of a million different contents meet with odds of 1 to 36 million."""
    hasher = blake2b(digest_size=8)
    for part in parts:
        data = b"i%d" % part if isinstance(part, int) else content_bytes(part)
        hasher.update(b"%d:" % len(data) + data)
    return int.from_bytes(hasher.digest(), "big")
