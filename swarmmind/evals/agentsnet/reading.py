"""From a reply's text to messages and answers, with the original's traps or without them (spec section 3)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from swarmmind.evals.agentsnet.names import KNOWN
from swarmmind.runtime.journal import characters

MARKER = "### Final Answer ###"

MAX_CHARACTERS = 100_000
MAX_OBJECTS = 1000
"""Longer replies, and places beyond so many where an object might begin, are not read: it could take for ever."""

_ORIGINALS, _LENIENT = json.JSONDecoder(), json.JSONDecoder(strict=False)
_TRAILING_COMMA = re.compile(r'(?<!\\)"\s*,\s*}')
_STRICT_MARKER = re.compile(r"(?<!#)#{2,}[ \t]*final answer[ \t]*#*", re.IGNORECASE)
_MARKS = r"[\s:*_\"'`(\[]*"
_END = r"(?!\w|[.,]\d)"


def compatible_messages(text: str, neighbors: Collection[str]) -> dict[str, str] | None:
    r"""Text by name as the original reads it, its traps included; `None` if it cannot read any.

    Every `\n` that is spelled out becomes a line break first, which breaks JSON that escapes one. Then, from each `{`
    on to the last `}`, the first that is JSON from names of the list of 200 to texts is taken: neighbors or not.
    """
    text = text.replace("\\n", "\n")
    text = text[: text.rfind("}") + 1]
    for found, end in _objects(text, _ORIGINALS):
        if end == len(text) and found.keys() <= KNOWN:
            return found
    return None


def strict_messages(text: str, neighbors: Collection[str]) -> dict[str, str] | None:
    """Text by name without traps; `None` if there is none to read.

    Of all JSON objects from names to texts the last one is taken, wherever it stands and whatever follows it. Line
    breaks within texts may be escaped or not, and a comma may be left before the end. Who is no neighbor is left out;
    an object that names others alone counts as unreadable, so that its author is asked again.
    """
    found = _last(text, neighbors)
    return _last(_TRAILING_COMMA.sub('"}', text), neighbors) if found is None else found


def compatible_answer(text: str, legal: Sequence[str]) -> str | None:
    """The answer as the original reads it: the first legal one, in their order, that follows the marker at once.

    Case matters and words need not end: with ten groups and more, "Group 10" is read as "Group 1".
    """
    match = re.search(rf"{MARKER}\s*({'|'.join(map(re.escape, legal))})", text)
    return match[1] if match else None


def strict_answer(text: str, legal: Sequence[str]) -> str | None:
    """The answer without traps: what follows the last marker that a whole legal one follows, in any case.

    The marker may have two number signs or more, and colons, quotes, brackets and marks of emphasis may stand between;
    so "## Final answer: **Group 10**" is Group 10, and "10" is not 1.
    """
    options = "|".join(map(re.escape, sorted(legal, key=len, reverse=True)))
    follows = re.compile(rf"{_MARKS}({options}){_END}", re.IGNORECASE)
    found = [match[1] for marker in _STRICT_MARKER.finditer(text) if (match := follows.match(text, marker.end()))]
    return next((word for word in legal if word.lower() == found[-1].lower()), None) if found else None


def _last(text: str, neighbors: Collection[str]) -> dict[str, str] | None:
    last: dict[str, str] | None = None
    after = 0
    for found, end in _objects(text, _LENIENT):
        known = {name: said for name, said in found.items() if name in neighbors}
        if end > after and (known or not found):  # not within the one before
            last, after = known, end
    return last


def _objects(text: str, decoder: json.JSONDecoder) -> Iterator[tuple[dict[str, str], int]]:
    """All objects from texts to texts with their ends, from left to right, also those within others.

    JSON can spell half a character (`\\ud83d` alone), which nothing can be sent or kept in; it is replaced.
    """
    if len(text) > MAX_CHARACTERS:
        return
    for start in islice(re.finditer(r"\{\s*[\"}]", text), MAX_OBJECTS):
        try:
            found, end = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            continue
        if all(isinstance(said, str) for said in found.values()):
            yield {name: characters(said) for name, said in found.items()}, end
