"""Synthetic runs, written through the journal itself: a world, a debate, and whatever hostile text a test likes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import msgspec

from swarmmind.effects import Agent, Ask, Failure, Message, Nested, Outcome, Reply, Sampling, Sleep, Usage
from swarmmind.runtime.journal import Journal, Timing

Write = Callable[[Journal], Iterator[None]]
TIMING = Timing(0.5, 0.1)
_WORDS = [
    "north",
    "south",
    "wall",
    "food",
    "nest",
    "carry",
    "follow",
    "me",
    "wait",
    "here",
    "found",
    "it",
    "go",
    "back",
    "turn",
    "left",
    "lead",
    "push",
    "prey",
    "far",
]


def journal(folder: Path, write: Write) -> Path:
    """A run's folder whose journal `write` filled; it yields now and then, so that the disk can keep up."""
    folder.mkdir(parents=True, exist_ok=True)

    async def main() -> None:
        kept = Journal(folder / "journal.sqlite")
        kept.start()
        for _ in write(kept):
            await kept.synced()
        await kept.synced()
        kept.close()

    anyio.run(main)
    return folder


def result(folder: Path, **values: Any) -> Path:
    """Put a `result.json` into a run's folder."""
    (folder / "result.json").write_bytes(msgspec.json.encode(values))
    return folder


def exchange(
    kept: Journal, key: str, agent: Agent, messages: list[Message], reply: Reply, timing: Timing = TIMING
) -> None:
    """Journal one exchange as the driver does."""
    ask = Ask(agent, tuple(messages))
    question = kept.digest(ask)
    kept.question(ask, question)
    kept.result(key, ask, question.digest, reply, timing)


def said(text: str, prompt: int = 400, cached: int | None = 300) -> Reply:
    """A reply that is what it says."""
    return Reply(text, text, usage=Usage(1, prompt, cached, 20, 0.0001), finish="stop")


def failed(kind: Any, message: str) -> Reply:
    """A reply that failed."""
    return Reply(failure=Failure(kind, message), usage=Usage(3, 0, 0, 0, 0.0))


def _frame(
    number: int, rng: random.Random, at: dict[str, list[int]], heard: list[list[str]], side: int
) -> dict[str, Any]:
    grid = [["W" if i in (0, side - 1) or j in (0, side - 1) else "." for j in range(side)] for i in range(side)]
    things = {"F": (1, 1), "N": (side - 2, side - 2), "B": (side // 2, 3), "P": (3, side // 2)}
    for symbol, (i, j) in things.items():
        grid[i][j] = symbol
    for place, (i, j) in enumerate(at.values()):
        grid[i][j] = "a" if place % 3 else "A"
    score = round(number**1.2 * rng.random(), 2)
    return {"round": number, "score": score, "grid": ["".join(row) for row in grid], "agents": dict(at),
            "messages": heard, "light_on": number % 2 == 0}  # fmt: skip


def world(folder: Path, agents: int = 12, rounds: int = 20, side: int = 10, seed: int = 1, words: int = 60) -> Path:
    """A world of agents that wander about and talk; one in 40 replies fails, one in 30 had to be asked again."""
    rng = random.Random(seed)
    people = [
        Agent(f"{'scout' if place % 5 == 0 else 'worker'}-{place}", "scout" if place % 5 == 0 else "worker",
              model="vllm/Qwen/Qwen3-8B", sampling=Sampling(0.7), index=place)
        for place in range(agents)
    ]  # fmt: skip
    at = {f"Agent_{place}": [rng.randrange(1, side - 1), rng.randrange(1, side - 1)] for place in range(agents)}
    rules = Message("system", "You live on a grid. Each round you move or stay, and may say a few words. " * 20)

    def talk(count: int) -> str:
        return " ".join(rng.choices(_WORDS, k=count))

    def write(kept: Journal) -> Iterator[None]:
        kept.record("run/0/round", "round", _frame(0, rng, at, [], side))
        for number in range(rounds):
            heard: list[list[str]] = []
            for place, agent in enumerate(people):
                key = f"run/{2 * number + 1}/{agent.id}"
                private = Message("user", f"Round {number}. You see: {talk(words)}. {agent.id}, what do you do?")
                chance = rng.random()
                value = {"action": rng.choice(("UP", "DOWN", "STAY")), "message": talk(5)}
                reply = msgspec.structs.replace(said(msgspec.json.encode(value).decode()), value=value)
                if chance < 0.025:
                    reply = failed("timeout" if chance < 0.015 else "unparsed", f"no answer in 30 s, round {number}")
                elif chance < 0.06:
                    kept.attempt(key, 1, Reply(f"hmm {talk(8)}", failure=Failure("unparsed", "expected a JSON object"),
                                               usage=Usage(1, 400, 300, 9, 0.0001)))  # fmt: skip
                timing = Timing(round(rng.lognormvariate(-0.5, 0.6), 4), 0.01)
                exchange(kept, key, agent, [rules, private], reply, timing)
                where = at[f"Agent_{place}"]
                where[:] = [min(side - 2, max(1, value + rng.choice((-1, 0, 1)))) for value in where]
                if rng.random() < 0.3:
                    heard.append([f"Agent_{place}", talk(6)])
            kept.record(f"run/{2 * number + 2}/round", "round", _frame(number + 1, rng, at, heard, side))
            yield

    return journal(folder, write)


def debate(folder: Path, agents: int = 5, rounds: int = 3) -> Path:
    """A nested debate: everybody sees everybody's answers; histories grow."""
    rng = random.Random(3)
    people = [Agent(f"solver-{place}", "solver", model="openai/gpt-x", index=place) for place in range(agents)]
    problem = Message("system", "What is the sum of the digits of 2**100? Think, then answer with a number.")

    def write(kept: Journal) -> Iterator[None]:
        answers: dict[str, str] = {}
        pasts: dict[str, list[Message]] = {agent.id: [problem] for agent in people}
        for number in range(rounds):
            right = [rng.random() < 0.3 + 0.3 * number for _ in people]
            answers = {
                agent.id: "115" if well else str(rng.randrange(90, 130))
                for agent, well in zip(people, right, strict=True)
            }
            for agent in people:
                exchange(kept, f"run/3/debate/{number}/{agent.id}", agent, pasts[agent.id], said(answers[agent.id]))
                others = "\n".join(f"{name} says {value}" for name, value in answers.items() if name != agent.id)
                turn = [Message("assistant", answers[agent.id]), Message("user", f"Others said:\n{others}\nAnd now?")]
                pasts[agent.id] = pasts[agent.id] + turn
            kept.record(f"run/3/debate/{number}/agreement", "agreement", {"round": number, "share": rng.random()})
        nested = Nested(lambda context: iter(()), "debate")  # type: ignore[arg-type, return-value]
        outcome = Outcome(answers)
        kept.result("run/3/debate", nested, kept.digest(Sleep(0)).digest, outcome, TIMING)
        yield

    return journal(folder, write)
