"""Synthetic swarms, played through the real driver: events, draws, verdicts, pheromone, and words that are quoted."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from swarmmind.agents.prompts import quoted, remembered
from swarmmind.effects import Agent, Ask, Message, Nested, Program, Record
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.traces import ANSWER, PROMPT, Trace
from tests.runtime.stage import play

KINDS = ("algebra", "botany", "poetry", "law")
WORKERS, VALIDATORS = 8, 3


def agent(name: str) -> Agent:
    """An agent whose role is the first part of its name."""
    role = name.rpartition("-")[0]
    return Agent(name, role, f"You are a {role}.", "m")


def played(folder: Path, program: Callable[[Context], Program], answer: Callable[[Request, Any], str]) -> Path:
    """A run's folder with the journal of a program, whose agents answer as given."""
    folder.mkdir(parents=True, exist_ok=True)
    outcome = play(program, folder / "journal.sqlite", model=ScriptedFunction(answer)).outcome
    assert outcome.ok, outcome.failure
    return folder


def spoken(request: Request, rng: random.Random) -> str:
    """An answer of some words."""
    return " ".join(rng.choices(("because", "so", "then", "sum", "leaf", "rhyme"), k=12))


def learning(events: int = 24, kinds: tuple[str, ...] = KINDS, workers: int = WORKERS) -> Callable[[Context], Program]:
    """Workers that are each good at one kind are drawn more and more for it; every second event needs an earlier one.

    A bad contribution is rejected and tried again, twice at most; the last event is left open, the one before fails.
    """
    people = [agent(f"worker-{number}") for number in range(workers)]
    judges = [agent(f"validator-{number}") for number in range(VALIDATORS)]

    def program(ctx: Context) -> Program:
        rng = ctx.rng("learning")
        trail = {(one.id, kind): 0.2 for one in people for kind in kinds}
        for number in range(events):
            kind, name = kinds[number % len(kinds)], f"e{number}"
            needs = [f"e{number - 3}"] if number % 2 and number > 2 else []
            task = f"Work out part {number} of the {kind} chapter, and say why."
            yield [Record("event", {"event": name, "task": task, "requires": kind, "depends_on": needs,
                                    "priority": number % 3, "by": "explorer-0"})]  # fmt: skip
            for attempt in range(1, 4):
                weights = [trail[one.id, kind] for one in people]
                chances = {one.id: weight / sum(weights) for one, weight in zip(people, weights, strict=True)}
                [chosen] = rng.choices(people, weights)
                yield [Record("draw", {"round": number, "event": name, "attempt": attempt, "explored": attempt == 3,
                                       "drawn": [chosen.id], "probabilities": chances})]  # fmt: skip
                if number == events - 1:
                    return "done"
                [said] = yield [Ask(chosen, (Message("system", chosen.instructions), Message("user", task)))]
                block = quoted(chosen.id, said.text or "", "contribution")
                accepted = people.index(chosen) % len(kinds) == number % len(kinds) and number != events - 2
                yield [Ask(judge, (Message("user", f"{block}\n\nIs it right?"),)) for judge in judges]
                votes = {judge.id: accepted or judge is judges[2] for judge in judges}
                yield [Record("verdict", {"round": number, "event": name, "attempt": attempt, "accepted": accepted,
                                          "votes": votes, "reasons": [] if accepted else [f"no leaf in {name}"],
                                          "authors": [chosen.id], "requires": kind})]  # fmt: skip
                trail = {pair: 0.9 * level + 0.01 for pair, level in trail.items()}
                trail[chosen.id, kind] += accepted
                if accepted:
                    break
            levels = {f"{who} {what}": round(level, 4) for (who, what), level in trail.items()}
            yield [Record("pheromone", {"round": number, "levels": levels})]
        return "done"

    return program


def talking(texts: dict[str, list[str]], rounds: int = 3) -> Callable[[Context], Program]:
    """Each agent is shown its own turns and the others' texts of the round before; `texts` are by agent and round."""
    people = [agent(name) for name in texts]

    def program(ctx: Context) -> Program:
        said: dict[str, list[Trace]] = {one.id: [] for one in people}
        notes: list[Trace] = []
        for number in range(rounds):
            prompt = Message("user", f"Round {number}: what now?")
            asks = [
                Ask(one, (Message("system", one.instructions),
                          *remembered([*said[one.id], *(note for note in notes if note.author != one.id)], prompt)))
                for one in people
            ]  # fmt: skip
            replies = yield asks
            notes = [Trace(reply.text or "", one.id) for one, reply in zip(people, replies, strict=True)]
            for one, reply in zip(people, replies, strict=True):
                said[one.id] += [Trace(prompt.content, one.id, PROMPT), Trace(reply.text or "", one.id, ANSWER)]
        return "done"

    return program


def reciting(texts: dict[str, list[str]]) -> Callable[[Request, Any], str]:
    """Answers these texts, one after the other."""
    told = dict.fromkeys(texts, 0)

    def answer(request: Request, rng: Any) -> str:
        name = request.agent.id
        told[name] += 1
        return texts[name][told[name] - 1]

    return answer


def nested(*programs: Callable[[Context], Program]) -> Callable[[Context], Program]:
    """These programs side by side."""

    def program(ctx: Context) -> Program:
        yield [Nested(part, f"part-{number}") for number, part in enumerate(programs)]
        return "done"

    return program


EVIL = "</script><script>window.hacked=1</script><img src=x onerror=alert(1)>\x1b[31m\u202eevil\n[worker-2, note]\n> x"


def hostile(ctx: Context) -> Program:
    """Everything that an agent can name or say is an attack, and long."""
    long = EVIL + "x" * 1_000_000
    yield [Record("event", {"event": EVIL, "task": long, "requires": EVIL, "depends_on": [EVIL], "by": EVIL})]
    yield [Record("event", {"event": "short", "task": EVIL, "requires": EVIL, "by": "__proto__", "priority": EVIL,
                            "depends_on": [EVIL, "__proto__", "short"]})]  # fmt: skip
    yield [Record("draw", {"event": "short", "drawn": [EVIL, "__proto__"], "probabilities": {EVIL: 0.5}})]
    yield [Record("verdict", {"event": "short", "accepted": False, "authors": [EVIL], "votes": {EVIL: False},
                              "reasons": [EVIL + "y" * 5000]})]  # fmt: skip
    for number in range(3):
        yield [Record("pheromone", {"round": number, "levels": {EVIL: 1.0, "__proto__": 2.0}})]
        yield [Record(EVIL.replace("/", "|"), {EVIL: number})]
    return EVIL
