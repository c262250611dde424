"""Who designs teams for notes from nothing, and moves them: what a swarm of systems needs (`language-pso`), scripted.

A design has a few roles one after the other, who know a rule or two at most; now and then it cannot be read. Causes of
failures are the rules that a note still breaks; an adjustment tells one role one of these; a move sometimes loses one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from swarmmind.evals.notes.style import RULES, known, unmet
from swarmmind.evals.notes.team import last, subject_of

GARBLES, LOSES = 0.2, 0.2
"""How often a design names a step that is not there, and a move loses an adjustment."""

_ROLES = ("reader", "editor", "typist", "proofreader")
_POLICY = "You get a note. Bring it into house style, and answer with the whole note."


def design(observation: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """A system: one to four roles in a row."""
    names = rng.sample(_ROLES, rng.randint(1, len(_ROLES)))
    hints = [rng.choice(RULES).words if rng.random() < 0.5 else "" for _ in names]
    roles = [
        {
            "name": name,
            "responsibility": f"Works on the note as {name}.",
            "policy": f"{_POLICY}\n- {hint}".rstrip("\n- "),
        }
        for name, hint in zip(names, hints, strict=True)
    ]
    steps = [
        {"name": f"{name}-step", "roles": [name], "inputs": [f"{names[at - 1]}-step"] if at else ["problem"]}
        for at, name in enumerate(names)
    ]
    if rng.random() < GARBLES:
        steps[0]["inputs"] = ["the archive"]
    rest = {"aggregate": "join", "task": ""}
    return {"values": {"workflow": {"roles": roles, "steps": [step | rest for step in steps]}}}


def cause(observation: Mapping[str, Any], rng: random.Random) -> str:
    """Which rules a note still breaks."""
    broken = unmet(last(str(observation["case"]["output"])))
    return f"Nobody was told: {' '.join(rule.words for rule in broken)}" if broken else "A slip."


def flaws(observation: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """A flaw for each rule that somebody should have been told."""
    behind = {rule: [case for case, text in observation["causes"].items() if rule.words in text] for rule in RULES}
    found = [
        {
            "parameter": "workflow",
            "kind": "weak role policy",
            "subject": subject_of(rule),
            "text": f"Somebody must be told: {rule.words}",
            "examples": cases,
        }
        for rule, cases in behind.items()
        if cases
    ]
    return {"flaws": found}


def fuse(observation: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """For each flaw a role that is to be told the rule; not one that was told in vain."""
    roles = [role["name"] for role in observation["values"]["workflow"]["roles"]]
    plan: list[dict[str, Any]] = []
    for at, flaw in enumerate(observation["flaws"]):
        options = [f"Tell {role}: {rule.words}" for rule in known(flaw["text"]) for role in roles]
        options = [option for option in options if option not in flaw["failed"]]
        if options:
            plan.append({"flaw": at, "adjustment": rng.choice(options)})
    return {"adjustments": plan}


def move(observation: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """The adjustments, written into the policies; some get lost."""
    policies = {role["name"]: role["policy"] for role in observation["values"]["workflow"]["roles"]}
    told: dict[str, str] = {}
    done: list[dict[str, Any]] = []
    for at, one in enumerate(observation["adjustments"]):
        head, _, words = one["adjustment"].partition(": ")
        role = head.removeprefix("Tell ")
        if role in policies and rng.random() >= LOSES:
            told[role] = f"{told.get(role, policies[role])}\n- {words}"
            done.append({"adjustment": at, "excerpt": words})
    changes = [{"op": "update_role", "name": role, "responsibility": "", "policy": new} for role, new in told.items()]
    return {"values": {"workflow": changes}, "done": done}
