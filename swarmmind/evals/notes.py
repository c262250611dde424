"""Notes to be brought into house style, by a team that is not told what that is: something for an optimizer to find.

The style is a dozen rules. An agent follows those that stand in its instructions, word for word, and slips now and
then. A critic reads what went in and came out of one agent, compares that with what was right, and names a rule that
would have helped; an editor writes what critics ask for into the instructions, and sometimes spoils them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from swarmmind.effects import Agent
from swarmmind.ports import Policy

SLIPS, SPOILS = 0.01, 0.15
"""How often an agent overlooks a rule that it was told, and an editor loses one that was there."""

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


# --- who works on them ------------------------------------------------------------------------------------------------


def known(text: str) -> list[Rule]:
    """The rules that a text states."""
    return [rule for rule in RULES if rule.words in text]


def worked(note: str, instructions: str, rng: random.Random) -> str:
    """What an agent with these instructions makes of a note."""
    for rule in known(instructions):
        if rng.random() >= SLIPS:
            note = rule.apply(note)
    return note


def _note_of(observation: Mapping[str, Any]) -> str:
    inputs = observation.get("inputs") or ()
    return _last(inputs[-1][1] if inputs else observation["question"]).removeprefix(HEAD)


# --- who improves them ------------------------------------------------------------------------------------------------


def unmet(output: str) -> list[Rule]:
    """The rules that would still change a note."""
    return [rule for rule in RULES if rule.apply(output) != output]


def edited(value: str, wanted: Sequence[str], rng: random.Random) -> str:
    """Instructions with the rules that critiques ask for; now and then one that was there gets lost."""
    rules = [rule for rule in RULES if any(rule.words in text for text in wanted) and rule.words not in value]
    there = known(value)
    if there and rng.random() < SPOILS:
        value = value.replace(f"\n- {rng.choice(there).words}", "")
    return value.rstrip() + "".join(f"\n- {rule.words}" for rule in rules)


def _criticize_whole(observation: Mapping[str, Any]) -> dict[str, Any]:
    """What is wrong with the notes that came out, by whomever."""
    found = dict.fromkeys(rule.words for case in observation["cases"] for rule in unmet(_last(str(case["output"]))))
    return {"critique": " ".join(found), "layers": []}


def _criticize_layer(observation: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """For each agent a rule that was missed at the end, is its business, and that its own answers do without."""
    critiques: dict[str, dict[str, str]] = {}
    steps = [step for case in observation["cases"] for step in case["steps"] if step["output"]]
    for step in rng.sample(steps, len(steps)):
        for parameter, value in observation["parameters"].items():
            told = [rule for rule in known(observation["advice"]) if rule.role == step["role"] in parameter]
            missing = [rule for rule in told if rule in unmet(_last(step["output"])) and rule.words not in value]
            if missing:
                critiques.setdefault(parameter, _critique(parameter, missing[0]))
    return {"critiques": list(critiques.values())}


def _critique(parameter: str, rule: Rule) -> dict[str, str]:
    subject = rule.words.split("'")[1] if "'" in rule.words else rule.words
    return {"parameter": parameter, "kind": "missing instruction", "subject": subject, "text": f"Add: {rule.words}"}


def _last(text: str) -> str:
    return text.rpartition("ANSWER:")[2].strip()


def _act(agent: Agent, observation: Any, rng: random.Random) -> str:
    do = observation.get("do")
    if do == "criticize the whole":
        return json.dumps(_criticize_whole(observation))
    if do == "criticize a layer":
        return json.dumps(_criticize_layer(observation, rng))
    if do == "edit":
        wanted = [one["text"] for one in observation["critiques"]]
        return json.dumps({"value": edited(observation["value"], wanted, rng), "note": " ".join(wanted)})
    return f"ANSWER: {worked(_note_of(observation), agent.instructions, rng)}"


def notes_agent(agent: Agent) -> Policy:
    """Brings notes into house style by the rules in its instructions; as critic and editor it improves these."""
    return partial(_act, agent)


POLICIES: MappingProxyType[str, Callable[[Agent], Policy]] = MappingProxyType({"notes": notes_agent})
