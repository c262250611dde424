"""Which prompts begin alike: what a server with a prefix cache reads once, if it is sent together (users.md 4a).

A prompt's prefix is a string of digests, of each part of it from its beginning on. Two prompts have as much of their
heads in common as their prefixes have, so every head of a prefix (see `heads`) is the name of a group. Messages are
parts, and long ones are several, because a prompt that is one long message may share its head too.
"""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

DIGEST_BYTES = 4
"""Of one part: where two parts differ and their digests do not, somebody waits at the wrong place, no more."""

PARTS = 12
"""So many are told apart, and what follows them is not: it is a long history, which is one agent's alone."""

_FIRST_CUT_BYTES, _GROWTH = 1024, 4  # a cut per quadrupling: 256 tokens, 1,024, 4,096 and so on


def parts(message: bytes) -> bytes:
    """The digests of a message, as it is sent: of its head at each cut, and of all of it."""
    size = len(message)
    if size <= _FIRST_CUT_BYTES:
        return crc32(message).to_bytes(DIGEST_BYTES, "big")
    found, digest, done, cut = bytearray(), 0, 0, _FIRST_CUT_BYTES
    view = memoryview(message)
    while done < size:
        digest = crc32(view[done:cut], digest)
        found += digest.to_bytes(DIGEST_BYTES, "big")
        done, cut = cut, cut * _GROWTH
    return bytes(found)


def joined(messages: list[bytes]) -> bytes:
    """The prefix of a prompt, from the digests of its messages in their order."""
    return b"".join(messages[:PARTS])[: PARTS * DIGEST_BYTES]


def heads(prefix: bytes) -> Iterator[bytes]:
    """The groups that a prompt belongs to: the one it shares most with first, that of its first part alone last."""
    for end in range(len(prefix), 0, -DIGEST_BYTES):
        yield prefix[:end]
