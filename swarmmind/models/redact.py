"""Keys never reach a journal, a report or a terminal, not even when a server echoes them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

MAX_MESSAGE_CHARS = 300
_HIDDEN = "[redacted]"
_SHORTEST_IN_REPLIES = 12  # a shorter key (`EMPTY`, `token`) is a word that a model may well say
_SHORTEST_IN_MESSAGES = 4
_CREDENTIALS = re.compile(
    r"(?i:authorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic)?\s*|\bbearer\s+)[^\s'\",;)}\]]+|\bsk-[\w*.-]{4,}"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


class Redactor:
    """Removes known keys, in the spellings a server may echo them in, and whatever looks like a credential."""

    __slots__ = ("_in_messages", "_in_replies")

    def __init__(self, keys: Iterable[str] = ()) -> None:
        keys = [key for key in keys if key]
        self._in_messages = _spellings(key for key in keys if len(key) >= _SHORTEST_IN_MESSAGES)
        self._in_replies = _spellings(key for key in keys if len(key) >= _SHORTEST_IN_REPLIES)

    def __repr__(self) -> str:
        return "Redactor()"

    def message(self, text: str) -> str:
        """A server's or library's words, fit to be kept: one line, no control characters, at most 300 characters."""
        for spelling in self._in_messages:
            text = text.replace(spelling, _HIDDEN)
        text = _CREDENTIALS.sub(_HIDDEN, text)
        text = " ".join(_CONTROL.sub(" ", text).split())
        return text if len(text) <= MAX_MESSAGE_CHARS else text[: MAX_MESSAGE_CHARS - 1] + "…"

    def reply(self, text: str) -> str:
        """A model's words, untouched unless they hold a key."""
        for spelling in self._in_replies:
            if spelling in text:
                text = text.replace(spelling, _HIDDEN)
        return text


def _spellings(keys: Iterable[str]) -> list[str]:
    found: set[str] = set()
    for key in keys:
        encoded = base64.b64encode(key.encode()).decode()
        found |= {key, json.dumps(key)[1:-1], quote(key, safe=""), encoded, encoded.rstrip("="), key.encode().hex()}
    return sorted(found, key=len, reverse=True)
