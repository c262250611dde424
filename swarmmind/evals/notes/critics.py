"""What else critics and editors of notes can be asked, by optimizers of other schools than the layers' one.

All of them know a rule when they see that a note still breaks it, and whose business it is. Who is to pass a
requirement or a critique back passes on what is not its own.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from swarmmind.evals.notes.style import Rule, known, unmet
from swarmmind.evals.notes.team import critique, edited, last, role_of, subject_of

_KIND = "missing instruction"


def judge(observation: Mapping[str, Any], rng: random.Random) -> dict[str, str]:
    """What is wrong with what came out; where requirements are passed back, what is required of who wrote it."""
    broken = unmet(last(str(observation["case"]["output"])))
    said = {"critique": _words(broken), "kind": _KIND, "subject": subject_of(broken[0]) if broken else ""}
    return said if "step" in observation else {**said, "requirement": _words(broken)}


def suggest(observation: Mapping[str, Any], rng: random.Random) -> dict[str, str]:
    """A rule that a step should be told, and what it requires of those before it: the rest."""
    wanted = known(" ".join(observation["requirements"]))
    own = [rule for rule in wanted if rule.role == observation["role"]]
    missing = [rule for rule in own if rule.words not in (observation["instructions"] or "")]
    suggestion = f"Add: {missing[0].words}" if missing else ""
    rest = _words([rule for rule in wanted if rule not in own])
    subject = subject_of(missing[0]) if missing else ""
    return {"suggestion": suggestion, "kind": _KIND, "subject": subject, "requirement": rest}


def trace_back(observation: Mapping[str, Any], rng: random.Random) -> dict[str, str]:
    """What a critique of an answer says of the instructions behind it, or of an answer that it read."""
    of, wanted = observation["of"], known(" ".join(observation["critiques"]))
    if of["instructions"]:
        found = [rule for rule in wanted if rule.role == of["role"] and rule.words not in of["value"]][:1]
    else:
        found = [rule for rule in wanted if rule.role != observation["role"]]
    text = f"Add: {_words(found)}" if found else ""
    return {"critique": text, "kind": _KIND, "subject": subject_of(found[0]) if found else ""}


def criticize(observation: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """For each parameter a rule that notes break and that is its role's business."""
    found = {name: _missing(observation["cases"], name, value) for name, value in observation["parameters"].items()}
    return {"critiques": [critique(name, rng.choice(rules)) for name, rules in found.items() if rules]}


def reflect(observation: Mapping[str, Any], rng: random.Random) -> dict[str, str]:
    """Instructions with a rule that the notes shown break, if it is their role's business."""
    missing = _missing(observation["cases"], observation["parameter"], observation["value"])
    wanted = [rng.choice(missing).words] if missing else []
    return {"value": edited(observation["value"], wanted, rng), "note": f"Added: {' '.join(wanted)}"}


def reword(observation: Mapping[str, Any], rng: random.Random) -> dict[str, str]:
    """The same rules in another order."""
    head, *rules = observation["value"].split("\n- ")
    rng.shuffle(rules)
    return {"value": "\n- ".join([head, *rules]), "note": ""}


def restructure(observation: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """One role of a team is told the rules that critiques ask for."""
    role = rng.choice(observation["value"]["roles"])
    policy = edited(role["policy"], [one["text"] for one in observation["critiques"]], rng)
    change = {"op": "update_role", "name": role["name"], "responsibility": "", "policy": policy}
    return {"operations": [change], "note": f"{role['name']} is told more."}


def _missing(cases: Sequence[Mapping[str, Any]], parameter: str, value: str) -> list[Rule]:
    broken = dict.fromkeys(rule for case in cases for rule in unmet(last(str(case["output"]))))
    return [rule for rule in broken if rule.role == role_of(parameter) and rule.words not in value]


def _words(rules: Sequence[Rule]) -> str:
    return " ".join(rule.words for rule in rules)
