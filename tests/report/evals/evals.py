"""Evals to look at: played by dice, and written through the journal itself."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from swarmmind.effects import Agent, Message, Reply, Usage
from swarmmind.evals.record import MANIFEST, Arm, Case, Episode, Instance, Manifest, Played, Recorded
from swarmmind.evals.table import Cell, Difference, Estimate, Line, Point, PublishedRow, Table
from swarmmind.runtime.journal import Journal, Timing
from tests.report import runs

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>]]>\x00\x1b[31m\u202eevil"
SIGNS = "\u2400\u241b[31m\u27e8U+202E\u27e9evil"
"""What is left to see of the end of `HOSTILE`."""

ARMS = (
    Arm("debate", "vllm/Qwen3-8B · debate", axes={"swarm.topology": "debate"}),
    Arm("debate-vote", "vote", "control", of="debate"),
    Arm("debate-solo", "solo", "control", of="debate"),
    Arm("ring", "vllm/Qwen3-8B · ring", axes={"swarm.topology": "ring"}),
    Arm("rules", "rules", "baseline"),
    Arm("random", "random", "floor"),
)
SKILL = {"debate": 0.85, "debate-vote": 0.7, "debate-solo": 0.6, "ring": 0.62, "rules": 1.0, "random": 0.2}


def manifest(instances: int = 20, seeds: int = 3, arms: Sequence[Arm] = ARMS, **more: Any) -> Manifest:
    """Two cases, `sums` and `words`, of half of the instances each."""
    cases = [Case(name, {"problem.dataset": name}, name) for name in ("sums", "words")]
    rows = [_instance(place, cases[place * 2 // instances].id) for place in range(instances)]
    plays = {f"{arm.id} {case.id}": f"p{place}{case.id}" for place, arm in enumerate(arms) for case in cases}
    more = {"description": "sums and words", "columns": "problem.dataset", **more}
    return Manifest("quiz", list(arms), cases, rows, list(range(7, 7 + seeds)), plays, **more)


def _instance(place: int, case: str) -> Instance:
    return Instance(f"{case}-{place}", case, f"What is {place} + {place}?", str(2 * place))


def dice(given: Manifest, output: str = "", missing: int = 97) -> Recorded:
    """Every episode played by chance; one in `missing` has no score, one in twice as many was not played."""
    played: dict[str, Played] = {}
    rng = random.Random(5)
    hard = {instance.id: rng.uniform(-0.3, 0.15) for instance in given.instances}
    for number, row in enumerate(Recorded(given, {}).rows()):
        right = rng.random() < SKILL.get(row.arm.id, 0.5) + hard[row.instance.id]
        label = Episode(given.plays[f"{row.arm.id} {row.case.id}"], row.instance.id, row.seed).label()
        usage = Usage(3, 900, 300, 60, 0.0021) if row.arm.kind in ("arm", "control") else Usage()
        said = output or (f"I think it is {row.instance.target if right else number}, " + "because " * 12)
        if number % (2 * missing) == 2 * missing - 1:
            continue
        if number % missing == missing - 1:
            played[label] = Played(None, planned=3, failed=3, error="timeout: no answer in 60 s", seconds=60.0)
        else:
            reason = "as wanted" if right else f"expected {row.instance.target}"
            played[label] = Played(float(right), said, reason, usage, 3, 3, seconds=rng.uniform(0.5, 3.0))
    return Recorded(given, played)


def table(recorded: Recorded, **more: Any) -> Table:
    """A table of normal intervals over episodes; some differences, in plain words."""
    given = recorded.manifest
    columns = list(dict.fromkeys(case.column for case in given.cases if case.column))
    rows = list(recorded.rows())
    found: list[Line] = []
    for arm in given.arms:
        own = [row for row in rows if row.arm is arm]
        cells = {name: _cell([row.played for row in own if row.case.column == name]) for name in columns}
        total = _cell([row.played for row in own])
        curve = [Point(at, total.score) for at in (4.0, 16.0, 64.0)] if total.score and arm.kind == "arm" else []
        found.append(Line(arm, total, cells, curve))
    finished = sum(row.played is not None and row.played.score is not None for row in rows)
    failed = sum(row.played is not None and row.played.score is None for row in rows)
    values: dict[str, Any] = {
        "name": given.name,
        "columns": columns,
        "headline": given.headline,
        "lines": found,
        "differences": _differences(found),
        "published": [],
        "seeds": len(given.seeds),
        "instances": len(given.instances),
        "planned": len(rows),
        "finished": finished,
        "failed": failed,
        "cancelled": len(rows) - finished - failed,
    }
    return Table(**{**values, **more})


def _cell(played: Sequence[Played | None]) -> Cell:
    done = [one for one in played if one is not None]
    scores = [one.score for one in done if one.score is not None]
    if not scores:
        return Cell(None, len(played), len(played))
    mean = sum(scores) / len(scores)
    sd = (sum((score - mean) ** 2 for score in scores) / len(scores)) ** 0.5
    half = 1.96 * sd / len(scores) ** 0.5
    spent = [(one.usage.prompt_tokens or 0) + (one.usage.completion_tokens or 0) for one in done]
    return Cell(
        Estimate(mean, mean - half, mean + half, sd, len(scores), len(scores)),
        len(played),
        len(played) - len(scores),
        calls=sum(one.usage.calls for one in done) / len(done),
        tokens=sum(spent) / len(done),
        usd=sum(one.usage.cost_usd or 0 for one in done) / len(done),
        seconds=sum(one.seconds for one in done) / len(done),
        flip_rate=0.25,
        pass_at={"1": mean, "3": min(1.0, 1.2 * mean)},
    )


def _differences(lines: Sequence[Line]) -> list[Difference]:
    first = lines[0]
    found: list[Difference] = []
    for other in lines[1:]:
        if first.total.score is None or other.total.score is None:
            continue
        mean = first.total.score.mean - other.total.score.mean
        verdict = "better" if mean > 0.05 else "worse" if mean < -0.05 else "cannot tell"
        words = (
            f"{verdict}: {first.arm.name} less {other.arm.name}: {mean:+.3f} ({mean - 0.05:.3f} to {mean + 0.05:.3f})"
        )
        why = other.arm.kind
        found.append(
            Difference(
                first.arm.id, other.arm.id, why, mean, mean - 0.05, mean + 0.05, 60, 20, verdict, words, tokens=1.0
            )
        )
    return found


PUBLISHED = [
    PublishedRow("o4-mini", {"sums": (0.91, 0.04), "words": (0.8, None)}, 0.855, "arXiv:2505.04364, table 1"),
    PublishedRow("gpt-4.1", {"sums": (0.7, 0.02)}, None, "arXiv:2505.04364, table 1"),
]


def written(folder: Path, recorded: Recorded, told: Table | None = None, talk: int = 0, **result: Any) -> Path:
    """The folder of an eval; `talk` asks of two agents are journaled below each episode."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_bytes(msgspec.json.encode(recorded.manifest))
    agents = [Agent(f"worker-{number}", "worker", model="vllm/tiny") for number in range(2)]

    def write(kept: Journal) -> Iterator[None]:
        for number, (label, played) in enumerate(recorded.played.items()):
            for ask in range(talk):
                agent = agents[ask % 2]
                sent = [Message("system", f"You are {agent.id}."), Message("user", f"{label}, ask {ask // 2}")]
                runs.exchange(kept, f"run/1/{label}/{ask + 1}/{agent.id}", agent, sent, runs.said(f"reply {ask}"))
            kept.result(f"run/1/{label}", Episode(*_parts(label)), b"", played, Timing(played.seconds, 0.0))
            if number % 200 == 199:
                yield
        yield

    runs.journal(folder, write)
    told = table(recorded) if told is None else told
    values = {"name": recorded.manifest.name, "status": "finished", "models": ["vllm/tiny"], "seconds": 12.5}
    return runs.result(folder, eval=msgspec.to_builtins(told), **{**values, **result})


def _parts(label: str) -> tuple[str, str, int]:
    play, _, rest = label.partition(".")
    instance, _, seed = rest.rpartition(".")
    return play, instance, int(seed)


def spoken(text: str) -> Reply:
    """A reply that is what it says."""
    return runs.said(text)


def hostile() -> Recorded:
    """An eval in which everything that people or models name or say is hostile."""
    arms = [
        Arm("a", HOSTILE, axes={HOSTILE: HOSTILE}),
        Arm("b", f"={HOSTILE}", "control", of="a"),
        Arm("c", "c", "floor"),
    ]
    case = Case("case", {"x": HOSTILE}, HOSTILE)
    instances = [Instance(f"i{place}", "case", HOSTILE, f"={HOSTILE}", "@kind") for place in range(3)]
    plays = {f"{arm.id} case": f"p{arm.id}" for arm in arms}
    given = Manifest(HOSTILE, arms, [case], instances, [1, 2], plays, description=HOSTILE, columns="x")
    played: dict[str, Played] = {}
    for place, row in enumerate(Recorded(given, {}).rows()):
        label = Episode(plays[f"{row.arm.id} case"], row.instance.id, row.seed).label()
        output = f"+{HOSTILE}" + "x" * (200_000 if place == 0 else 0)
        score = None if place == 1 else 0.5
        played[label] = Played(score, output, f"-{HOSTILE}", seconds=1.0, error=f"\t{HOSTILE}", metrics={HOSTILE: 1.0})
    return Recorded(given, played)
