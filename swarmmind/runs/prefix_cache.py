"""What a person should know if a server's prefix cache never hits though prompts begin alike (users.md 2: #28)."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from swarmmind.agents.prompts import CHARACTERS_PER_TOKEN
from swarmmind.models.served import Served

_BLOCK_TOKENS = 16  # where a server does not say how large its blocks are

_SHARED = """
SELECT r.uses, length(m.content) FROM messages m JOIN (
  SELECT substr(q.messages, 1, 16) AS first, count(*) AS uses
  FROM results r JOIN requests q ON q.digest = r.request WHERE r.kind = 'Ask' GROUP BY first
) r ON m.digest = r.first WHERE r.uses > 1 AND length(m.content) >= ? ORDER BY 1 DESC LIMIT 1
"""


def misses(served: Sequence[Served], journal: Path) -> list[str]:
    """A line for each server that counts hits and had none, if at least one whole block of its cache could have been.

    Only then is the journal read: how many prompts began with the same message, and how long that is.

    Args:
        served: what each server did.
        journal: of the run.
    """
    found: list[str] = []
    for one in served:
        if one.cached_tokens != 0 or not one.answered:
            continue
        block = one.server.get("block_size")
        tokens = int(block) if isinstance(block, (int, str)) and str(block).isdecimal() else _BLOCK_TOKENS
        shared = _shared(journal, (tokens + 1) * CHARACTERS_PER_TOKEN)
        if shared is None:
            continue
        uses, characters = shared
        off = str(one.server.get("enable_prefix_caching")) == "False"
        why = "it was started without one" if off else "see --enable-prefix-caching, and whether its model can have one"
        found.append(
            f"{one.url}: its prefix cache never hit, though {uses:,} prompts began with the same {characters:,} "
            f"characters; {why}"
        )
    return found


def _shared(journal: Path, characters: int) -> tuple[int, int] | None:
    """Of first messages of at least so many characters, the one most prompts began with: how many, and how long."""
    with closing(sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True)) as db:
        return db.execute(_SHARED, (characters,)).fetchone()
