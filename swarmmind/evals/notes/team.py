"""Who works on notes, and who improves their instructions: rule-based agents.

An agent follows the rules that stand in its instructions, word for word, and slips now and then. A critic reads what
came out, or what one layer of agents made of what it was given, and names rules that would have helped; an editor
writes what critics ask for into the instructions, and sometimes spoils them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from swarmmind.evals.notes.style import HEAD, RULES, Rule, known, unmet

SLIPS, SPOILS = 0.01, 0.15
"""How often an agent overlooks a rule that it was told, and an editor loses one that was there."""


def worked(note: str, instructions: str, rng: random.Random) -> str:
    """What an agent with these instructions makes of a note."""
    for rule in known(instructions):
        if rng.random() >= SLIPS:
            note = rule.apply(note)
    return note


def note_of(observation: Mapping[str, Any]) -> str:
    """The note that an agent is given: what it reads of others, else the problem's."""
    inputs = observation.get("inputs") or ()
    return last(inputs[-1][1] if inputs else observation["question"]).removeprefix(HEAD)


def last(text: str) -> str:
    """The note in what an agent said."""
    return text.rpartition("ANSWER:")[2].strip()


def edited(value: str, wanted: Sequence[str], rng: random.Random) -> str:
    """Instructions with the rules that critiques ask for; now and then one that was there gets lost."""
    rules = [rule for rule in RULES if any(rule.words in text for text in wanted) and rule.words not in value]
    there = known(value)
    if there and rng.random() < SPOILS:
        value = value.replace(f"\n- {rng.choice(there).words}", "")
    return value.rstrip() + "".join(f"\n- {rule.words}" for rule in rules)


def edit(observation: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """Instructions with what critiques ask for."""
    wanted = [one["text"] for one in observation["critiques"]]
    return {"value": edited(observation["value"], wanted, rng), "note": " ".join(wanted)}


def criticize_whole(observation: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """What is wrong with the notes that came out, by whomever."""
    found = dict.fromkeys(rule.words for case in observation["cases"] for rule in unmet(last(str(case["output"]))))
    return {"critique": " ".join(found), "layers": []}


def criticize_layer(observation: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """For each agent a rule that was missed at the end, is its business, and that its own answers do without."""
    critiques: dict[str, dict[str, str]] = {}
    steps = [step for case in observation["cases"] for step in case["steps"] if step["output"]]
    for step in rng.sample(steps, len(steps)):
        for parameter, value in observation["parameters"].items():
            told = [rule for rule in known(observation["advice"]) if rule.role == step["role"] == role_of(parameter)]
            missing = [rule for rule in told if rule in unmet(last(step["output"])) and rule.words not in value]
            if missing:
                critiques.setdefault(parameter, critique(parameter, missing[0]))
    return {"critiques": list(critiques.values())}


def critique(parameter: str, rule: Rule) -> dict[str, str]:
    """A critique that asks for a rule."""
    return {
        "parameter": parameter,
        "kind": "missing instruction",
        "subject": subject_of(rule),
        "text": f"Add: {rule.words}",
    }


def subject_of(rule: Rule) -> str:
    """What a rule is about, in a word or two."""
    return rule.words.split("'")[1] if "'" in rule.words else rule.words


def role_of(parameter: str) -> str:
    """Whose instructions `prompts.<role>` is."""
    return parameter.rpartition(".")[2]
