"""Notes to be brought into house style, by a team that is not told what that is: something for an optimizer to find."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from swarmmind.effects import Agent
from swarmmind.evals.notes import architect, critics, team
from swarmmind.evals.notes.style import HEAD, RULES, known, notes, right, unmet
from swarmmind.ports import Policy

_JOBS: Mapping[str, Callable[[Mapping[str, Any], random.Random], Any]] = MappingProxyType(
    {
        "criticize the whole": team.criticize_whole,
        "criticize a layer": team.criticize_layer,
        "criticize": critics.criticize,
        "judge": critics.judge,
        "suggest": critics.suggest,
        "trace-back": critics.trace_back,
        "edit": team.edit,
        "reflect": critics.reflect,
        "reword": critics.reword,
        "restructure": critics.restructure,
        "design": architect.design,
        "cause": architect.cause,
        "flaws": architect.flaws,
        "fuse": architect.fuse,
        "apply": architect.move,
    }
)
"""What critics and editors can be asked to do; anybody else works on a note."""


def _act(agent: Agent, observation: Any, rng: random.Random) -> str:
    job = _JOBS.get(observation.get("do"))
    if job is None:
        return f"ANSWER: {team.worked(team.note_of(observation), agent.instructions, rng)}"
    said = job(observation, rng)
    return said if isinstance(said, str) else json.dumps(said)


def notes_agent(agent: Agent) -> Policy:
    """Brings notes into house style by the rules in its instructions; as critic and editor it improves these."""
    return partial(_act, agent)


POLICIES: MappingProxyType[str, Callable[[Agent], Policy]] = MappingProxyType({"notes": notes_agent})

__all__ = ["HEAD", "POLICIES", "RULES", "known", "notes", "right", "unmet"]
