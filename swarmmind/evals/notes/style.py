"""The style of a house that nobody tells: a dozen rules, and notes that break them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

HEAD = "Bring this note into house style: "
"""How a problem begins."""


class Rule(NamedTuple):
    """A rule of the house.

    Attributes:
        role: whose business it is.
        words: the rule in a sentence, by which it is known again.
        apply: to a note; a note that it does not concern stays as it is.
    """

    role: str
    words: str
    apply: Callable[[str], str]


def _written_out(short: str, long: str) -> Callable[[str], str]:
    pattern = re.compile(rf"(?<!\S){re.escape(short)}(?!\S)", re.IGNORECASE)
    return lambda note: pattern.sub(lambda found: long.capitalize() if found[0][0].isupper() else long, note)


_HOUR = re.compile(r"\b(\d{1,2})(am|pm)\b")
_NAME = re.compile(r"\b([a-z]) (ames|baker|cole|dunn)\b")


def _clock(note: str) -> str:
    return _HOUR.sub(lambda found: f"{int(found[1]) % 12 + 12 * (found[2] == 'pm'):02}:00", note)


def _named(note: str) -> str:
    return _NAME.sub(lambda found: f"{found[1].upper()}. {found[2].capitalize()}", note)


def _begun(note: str) -> str:
    return note[:1].upper() + note[1:]


def _ended(note: str) -> str:
    return note if note.endswith(".") else f"{note}."


RULES: Sequence[Rule] = (
    Rule("reader", "Write 'mtg' out as 'meeting'.", _written_out("mtg", "meeting")),
    Rule("reader", "Write 'appt' out as 'appointment'.", _written_out("appt", "appointment")),
    Rule("reader", "Write 'w/' out as 'with'.", _written_out("w/", "with")),
    Rule("reader", "Write '&' out as 'and'.", _written_out("&", "and")),
    Rule("clerk", "Give hours on the 24-hour clock, as 15:00.", _clock),
    Rule("clerk", "Give noon as 12:00.", _written_out("noon", "12:00")),
    Rule("clerk", "Write 'tmrw' out as 'tomorrow'.", _written_out("tmrw", "tomorrow")),
    Rule("clerk", "Write 'fri' out as 'Friday'.", _written_out("fri", "Friday")),
    Rule("proofreader", "Write names as 'J. Baker'.", _named),
    Rule("proofreader", "Write 'rm' out as 'room'.", _written_out("rm", "room")),
    Rule("proofreader", "Begin with a capital letter.", _begun),
    Rule("proofreader", "End with a full stop.", _ended),
)
"""The house's style, in the order in which a note goes through the hands of the roles."""


def right(note: str) -> str:
    """A note in house style."""
    for rule in RULES:
        note = rule.apply(note)
    return note


def notes(count: int, seed: int) -> list[dict[str, str]]:
    """Problems with their targets; most rules concern a quarter of them or so."""
    rng = random.Random(seed)
    drawn = dict.fromkeys(_note(rng) for _ in range(count * 4))
    return [{"problem": f"{HEAD}{note}", "target": right(note)} for note in list(drawn)[:count]]


def _note(rng: random.Random) -> str:
    def one(*options: str) -> str:
        return rng.choice(options)

    who = one("the plumber", "the board", "Ms. Evans", f"{rng.choice('jklm')} {one('ames', 'baker', 'cole', 'dunn')}")
    what = one("mtg", "meeting", "meeting", "talk", "appt", "appointment")
    also = one("", "", "", f" {one('&', 'and')} lunch")
    when = one("today", "on Monday", "on Tuesday", "tmrw", "on fri")
    hour = one("at 9:30", "at 16:15", "at 10:45", "at noon", f"at {rng.randint(1, 11)}{one('am', 'pm')}")
    where = one("", "", f" in {one('rm', 'room', 'hall')} {rng.randint(1, 9)}")
    return f"{what}{also} {one('w/', 'with', 'with', 'with')} {who} {when} {hour}{where}"


def known(text: str) -> list[Rule]:
    """The rules that a text states."""
    return [rule for rule in RULES if rule.words in text]


def unmet(output: str) -> list[Rule]:
    """The rules that would still change a note."""
    return [rule for rule in RULES if rule.apply(output) != output]
