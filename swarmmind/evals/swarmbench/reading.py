"""From a reply's text to an action and a message (spec section 8)."""

from __future__ import annotations

import re
from collections.abc import Sequence

MESSAGE_LIMIT = 120
"""Characters; what is longer is cut there and gets three dots."""


def compatible(text: str, actions: Sequence[str]) -> tuple[str | None, str | None]:
    """Action and message as the original reads them, its traps included.

    The action is looked for after the first `ACTION:`, then `Action:`, then `action:`, up to the line's end, as a
    case-sensitive substring in the order of `actions`; later keys override. So "ACTION: STAY MSG: going UP" is UP.
    The message is what follows `MSG:`, `Msg:`, `msg:` up to the line's end; later keys override.
    """
    action: str | None = None
    for key in ("ACTION:", "Action:", "action:"):
        rest = _after(key, text)
        if rest is not None:
            action = next((word for word in actions if word in rest), action)
    message: str | None = None
    for key in ("MSG:", "Msg:", "msg:"):
        rest = _after(key, text)
        if rest is not None:
            message = rest.strip()
    return action, cut(message)


def strict(text: str, actions: Sequence[str]) -> tuple[str | None, str | None]:
    """Action and message without traps.

    A line counts if, after blanks and the marks `*`, `_`, `#`, `>`, `-` and backticks, it begins with `action:` or
    `msg:` in any case. The last such line of each kind is taken. An action line must hold exactly one word, and it
    must be one of `actions` in any case: "ACTION: **up**." is UP; "ACTION: UP or DOWN" and "ACTION: UPWARDS" are no
    action. So "ACTION: STAY MSG: going UP" is no action, and no message.
    """
    action: str | None = None
    message: str | None = None
    for line in text.splitlines():
        key, colon, rest = line.lstrip(" \t*_#>-`").partition(":")
        if not colon:
            continue
        kind = key.rstrip(" \t*_`").upper()
        if kind == "ACTION":
            words = [word.upper() for word in re.findall(r"[^\W_]+", rest)]
            action = words[0] if len(words) == 1 and words[0] in actions else None
        elif kind == "MSG":
            message = rest.lstrip("*_`").strip()
    return action, cut(message)


def _after(key: str, text: str) -> str | None:
    """What stands after the first `key`, up to the end of its line; `None` without the key."""
    start = text.find(key)
    if start < 0:
        return None
    start += len(key)
    end = text.find("\n", start)
    return text[start:] if end < 0 else text[start:end]


def cut(message: str | None) -> str | None:
    """A message as it is delivered; an empty one is none."""
    if not message:
        return None
    return message if len(message) <= MESSAGE_LIMIT else message[:MESSAGE_LIMIT] + "..."
