"""Work that flows through graphs: exact calls and makespans, logistic growth, and prompts that hold one artifact."""

from __future__ import annotations

import math
import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import msgspec
import numpy as np
from scipy.optimize import curve_fit

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Agent, AnyOf, Ask, Delivery, Message, Program
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.runtime.journal import content
from swarmmind.topologies import TOPOLOGIES, Question, Society
from swarmmind.topologies.graphs import Graph
from tests.runtime.stage import play

from .experiment import Experiment
from .paired import over, paired

KINDS = ("chain", "star", "tree", "mesh", "layered", "random")
SIZES = (1, 2, 4, 8, 16, 32, 64)
SEEDS = range(30)
FEW = range(10)
ASPECTS = 40
DRAFTED, NAMED, ADDED, BROKEN, MERGED = 0.15, 0.9, 0.931, 0.01, 0.97

EXACT = {
    ("chain", 16): (33, 33), ("star", 16): (75, 9), ("tree", 16): (54, 14), ("mesh", 16): (348, 78),
    ("layered", 16): (147, 17), ("mesh", 64): (5988, 444), ("layered", 64): (1613, 37),
}  # fmt: skip
"""Calls and makespan, by the spec."""

_QUOTED = re.compile(r"\[[^\]\n]*, (artifact|comment|candidate \d+)\]\n((?:>.*\n?)+)")
_ASPECT = re.compile(r"\baspect (\d+)\b")


def _agent(prompt: str, rng: random.Random) -> str:
    """An agent of the simulator; all it knows is what its prompt says. An artifact lists the aspects it covers."""
    shown: dict[str, set[int]] = {what: set(map(int, _ASPECT.findall(text))) for what, text in _QUOTED.findall(prompt)}
    if "write a first version" in prompt.casefold():
        return _text(aspect for aspect in range(ASPECTS) if rng.random() < DRAFTED)
    if "candidate 1" in shown:
        there = list(shown.values())
        common = set.intersection(*there)
        return _text(one for one in sorted(set.union(*there)) if one in common or rng.random() < MERGED)
    work = shown["artifact"]
    if "comment" in shown:
        kept = [aspect for aspect in sorted(work) if rng.random() >= BROKEN]
        added = [aspect for aspect in shown["comment"] - work if rng.random() < ADDED]
        return _text([*kept, *added])
    missing = sorted(set(range(ASPECTS)) - work)
    return f"It lacks aspect {rng.choice(missing)}." if missing and rng.random() < NAMED else "FINISHED"


def _text(aspects: Iterable[int]) -> str:
    return "\n".join(["It covers:", *(f"aspect {aspect}" for aspect in sorted(aspects))])


# --- fakes and the null: wrapped agents, wrapped programs -------------------------------------------------------------

Agents = Callable[[str, random.Random], str]
Wrapper = Callable[[Program], Program]


def _ignores(prompt: str, rng: random.Random) -> str:
    """Whoever should revise begins anew."""
    return _agent("Write a first version" if ", comment]" in prompt else prompt, rng)


def _takes_first(prompt: str, rng: random.Random) -> str:
    """Whoever should merge takes the first candidate."""
    first = [text for what, text in _QUOTED.findall(prompt) if what == "candidate 1"]
    return _text(map(int, _ASPECT.findall(first[0]))) if first else _agent(prompt, rng)


def _blind(prompt: str, rng: random.Random) -> str:
    """The null: a critic names what is there already."""
    said = _agent(prompt, rng)
    work = _ASPECT.findall(prompt)
    return f"It lacks aspect {rng.choice(work)}." if said.startswith("It lacks") and work else said


def _plain(program: Program) -> Program:
    return program


def _one_by_one(program: Program) -> Program:
    """The edges one after another, as the original executes them."""
    waiting: list[tuple[Any, str]] = []
    awaiting, results = next(program), None
    while True:
        if isinstance(awaiting, AnyOf):
            waiting.extend(zip(awaiting.effects, awaiting.places or (), strict=True))
            effect, place = waiting.pop(0)
            results = yield AnyOf([effect], [place])
        else:
            results = yield awaiting
        try:
            awaiting = program.send(results)
        except StopIteration as end:
            return end.value


def _with_transcript(program: Program) -> Program:
    """Every prompt holds all that was written so far, as in a group chat."""
    written: list[str] = []
    originals: dict[int, Any] = {}
    awaiting, results = next(program), None
    while True:
        if isinstance(awaiting, AnyOf):
            more = [_with(effect, written) for effect in awaiting.effects]
            originals.update({id(new): (new, old) for new, old in zip(more, awaiting.effects, strict=True)})
            results = []
            for new, reply in (yield AnyOf(more, awaiting.places)):
                effect = originals.pop(id(new))[1]
                results.append(Delivery(effect, reply))
                if effect.observation["do"] != "criticize":
                    written.append(quoted(effect.agent.id, reply.text, "artifact"))
        else:
            results = yield awaiting
        try:
            awaiting = program.send(results)
        except StopIteration as end:
            return end.value


def _with(ask: Ask, written: Sequence[str]) -> Ask:
    *before, last = ask.messages
    return msgspec.structs.replace(ask, messages=(*before, Message("user", "\n\n".join([*written, last.content]))))


ARMS: Mapping[str, tuple[Agents, Wrapper]] = {
    "macnet": (_agent, _plain),
    "no predecessor": (_ignores, _plain),
    "first of a merge": (_takes_first, _plain),
    "transcript": (_agent, _with_transcript),
    "one by one": (_agent, _one_by_one),
    "blind critics": (_blind, _plain),
}


# --- runs -------------------------------------------------------------------------------------------------------------


class Flown(NamedTuple):
    """One run.

    Attributes:
        quality: the share of aspects that its result covers.
        calls: answered by the model; `planned` by the topology; `law` by the law, from the graph alone.
        seconds: its makespan, a second a call; `path` is that of the critical path, from the graph alone.
        context: the most artifacts in one journaled prompt of a critic or actor, and of a merger; 0 if nobody looked.
    """

    quality: float
    calls: int
    planned: int
    law: int
    seconds: float
    path: int
    context: tuple[int, int]


def fly(kind: str, nodes: int, seed: int, arm: str = "macnet", look: bool = False) -> Flown:
    """One run through the driver; arms of a seed share their graph, and as long as they ask the same, their luck."""
    agents, wrap = ARMS[arm]
    graph = Graph.model_validate(kind)
    society = Society(
        [Agent(f"node-{at}", "worker", model="m", index=at) for at in range(nodes)],
        Window(0),
        Question("Plan."),
        seed=seed,
    )
    topology = TOPOLOGIES["macnet"]
    assert topology.calls is not None

    def program(ctx: Context) -> Program:
        return wrap(topology.program(ctx, society, graph=graph))

    def say(request: Request, rng: random.Random) -> str:
        return agents(request.messages[-1].content, rng)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        played = play(program, path, model=ScriptedFunction(say, 1.0), seed=seed)
        assert played.outcome.ok, played.outcome
        total = played.meter.total()
        assert total.planned == total.finished == len(played.asked)
        context = _context(path) if look else (0, 0)
    law, critical = _law(graph, society)
    quality = len(set(_ASPECT.findall(played.outcome.value))) / ASPECTS
    planned = topology.calls(society, graph=graph)
    return Flown(quality, len(played.asked), planned, law, played.seconds, critical, context)


def _context(journal: Path) -> tuple[int, int]:
    """The most artifacts in one journaled prompt: of critics and actors, and of mergers."""
    most = {False: 0, True: 0}
    for row in content(journal):
        if row[0] == "result":
            messages, _ = msgspec.json.decode(row[5])
            names = [what for message in messages for what, _ in _QUOTED.findall(message["content"])]
            merging = any(name.startswith("candidate") for name in names)
            most[merging] = max(most[merging], sum(name != "comment" for name in names))
    return most[False], most[True]


def _law(graph: Graph, society: Society) -> tuple[int, int]:
    """Calls and critical path by the spec: a draft, two for each edge, binary merges when all inputs are there."""
    dag = graph.directed(society.agents, society.seed)
    inputs: dict[int, list[int]] = {v: sorted(dag.predecessors(v)) for v in sorted(dag)}
    inputs[-1] = [v for v in dag if not dag.out_degree(v)]
    calls = sum(2 * len(before) + max(0, len(before) - 1) if before else 1 for before in inputs.values())
    over_at: dict[int, int] = {}
    for v in (*sorted(dag), -1):  # families lead from lower to higher numbers
        before = inputs[v]
        merging = math.ceil(math.log2(len(before))) if before else 0
        over_at[v] = max(over_at[u] for u in before) + 2 + merging if before else 1
    return calls, over_at[-1]


def _seed(seed: int) -> dict[tuple[str, int], Flown]:
    """All graphs of a seed; the prompts of the first one are looked through."""
    return {(kind, nodes): fly(kind, nodes, seed, look=seed == SEEDS[0]) for kind in KINDS for nodes in SIZES}


def _fakes(seed: int) -> dict[tuple[str, str, int], Flown]:
    """What must fail, and the null."""
    wanted = [
        *[("no predecessor", "chain", nodes) for nodes in SIZES],
        *[("first of a merge", "mesh", nodes) for nodes in SIZES[:-1]],
        *[("transcript", "chain", nodes) for nodes in (1, 64)],
        ("one by one", "star", 16),
        *[("blind critics", kind, nodes) for kind in KINDS[:3] for nodes in (1, 16, 64)],
        *[("blind critics", "mesh", nodes) for nodes in (1, 16)],
    ]
    return {(arm, kind, nodes): fly(kind, nodes, seed, arm, look=arm == "transcript") for arm, kind, nodes in wanted}


# --- what is expected -------------------------------------------------------------------------------------------------


def run() -> Experiment:
    """Six graphs, 1 to 64 nodes, against the spec's exact calls and makespans, its curves, its fakes and a null."""
    experiment = Experiment(
        "macnet",
        f"{ASPECTS} aspects, six graphs of 1 to {SIZES[-1]} nodes, {len(SEEDS)} paired seeds",
        ["graph", "quality at n = 1, 2, 4, ..., 64", "R2", "calls at 16", "makespan at 16", "calls, makespan at 64"],
    )  # fmt: skip
    seeds = over(SEEDS, _seed)
    grid = {key: [flown[key] for flown in seeds] for key in seeds[0]}
    for kind in KINDS:
        _expect_curve(experiment, kind, grid)
    _expect_exact(experiment, grid)
    mesh, chain = (_quality(grid[kind, 16]) for kind in ("mesh", "chain"))
    experiment.expect("quality, mesh of 16", mean(mesh), ">=", 0.9)
    experiment.expect("quality, chain of 16", mean(chain), "<=", 0.55)
    gain, half = paired(mesh, chain)
    experiment.expect("mesh over chain at 16, paired, lower end of its interval", gain - half, ">", 0.35)
    _expect_context(experiment, grid)
    _expect_fakes(experiment, grid)
    return experiment


Grid = Mapping[tuple[str, int], Sequence[Flown]]


def _expect_curve(experiment: Experiment, kind: str, grid: Grid) -> None:
    curve = [mean(_quality(grid[kind, nodes])) for nodes in SIZES]
    fit = _fit(curve)
    cells = [sorted({(flown.calls, flown.seconds) for flown in grid[kind, nodes]}) for nodes in (16, 64)]
    sixteen = cells[0] if len(cells[0]) == 1 else [("by seed", "by seed")]
    last = f"{cells[1][0][0]:,}, {cells[1][0][1]:g}" if len(cells[1]) == 1 else "by seed"
    experiment.row(kind, " ".join(f"{value:.2f}" for value in curve), f"{fit:.4f}", *sixteen[0], last)
    experiment.expect(f"{kind}: R2 of the logistic in log2 n", fit, ">=", 0.98)


def _fit(curve: Sequence[float]) -> float:
    """R2 of q(n) = a / (1 + exp(-b (log2 n - c))) + d."""
    x, y = np.log2(SIZES), np.array(curve)

    def logistic(x: Any, a: float, b: float, c: float, d: float) -> Any:
        return a / (1 + np.exp(-b * (x - c))) + d

    found, _ = curve_fit(logistic, x, y, p0=(0.9, 1.0, 4.0, 0.1), maxfev=50_000)
    return float(1 - np.sum((y - logistic(x, *found)) ** 2) / np.sum((y - y.mean()) ** 2))


def _quality(arm: Sequence[Flown]) -> list[float]:
    return [flown.quality for flown in arm]


def _expect_exact(experiment: Experiment, grid: Grid) -> None:
    for (kind, nodes), wanted in EXACT.items():
        got = {(flown.calls, int(flown.seconds)) for flown in grid[kind, nodes]}
        experiment.expect(f"{kind} of {nodes}: calls and makespan", got, "==", {wanted})
    every = [flown for arm in grid.values() for flown in arm]
    experiment.expect("runs", len(every), "==", len(KINDS) * len(SIZES) * len(SEEDS))
    experiment.expect("runs whose calls are not those of the law", sum(f.calls != f.law for f in every), "==", 0)
    experiment.expect("runs whose calls were not said beforehand", sum(f.calls != f.planned for f in every), "==", 0)
    late = sum(f.seconds != f.path for f in every)
    experiment.expect("runs whose makespan is not that of the critical path", late, "==", 0)


def _expect_context(experiment: Experiment, grid: Grid) -> None:
    looked = {key: arm[0].context for key, arm in grid.items()}
    experiment.expect("most artifacts in a prompt of a critic or actor", {one for one, _ in looked.values()}, "==", {1})
    merging: dict[int, set[int]] = defaultdict(set)
    for (_, nodes), (_, most) in looked.items():
        merging[nodes].add(most)
    experiment.expect("most artifacts in a prompt of a merger", max(max(most) for most in merging.values()), "==", 2)
    experiment.expect("the same at 64 nodes", max(merging[64]), "==", 2)


def _expect_fakes(experiment: Experiment, grid: Grid) -> None:
    seeds = over(FEW, _fakes)
    fakes = {key: [flown[key] for flown in seeds] for key in seeds[0]}
    for arm, kind in dict.fromkeys((arm, kind) for arm, kind, _ in fakes):
        sizes = [nodes for name, graph, nodes in fakes if (name, graph) == (arm, kind)]
        curve = [f"{nodes}: {mean(_quality(fakes[arm, kind, nodes])):.2f}" for nodes in sizes]
        experiment.row(f"{kind}, {arm}", ", ".join(curve), "", "", "", "")
    flat = [mean(_quality(fakes["no predecessor", "chain", nodes])) for nodes in SIZES]
    experiment.expect("fake, a node ignores its predecessor: best quality of a chain", max(flat), "<=", 0.2)
    first = _quality(fakes["first of a merge", "mesh", 16])
    experiment.expect("fake, a merge takes the first: quality of a mesh of 16", mean(first), "<=", 0.25)
    gain, half = paired(_quality(grid["mesh", 16])[: len(FEW)], first)
    experiment.expect("merging over taking the first, paired, lower end", gain - half, ">", 0.6)
    contexts = [fakes["transcript", "chain", nodes][0].context[0] for nodes in (1, 64)]
    experiment.expect("fake, a transcript: most artifacts in a prompt at 1 and 64", contexts, "==", [2, 65])
    slow = {flown.seconds for flown in fakes["one by one", "star", 16]}
    experiment.expect("fake, one by one: makespan of a star of 16", slow, "==", {75.0})
    for kind in KINDS[:4]:
        sizes = [nodes for arm, graph, nodes in fakes if (arm, graph) == ("blind critics", kind)]
        alone, *more = (mean(_quality(fakes["blind critics", kind, nodes])) for nodes in sizes)
        experiment.expect(f"null, blind critics: what a {kind} gains over one node", max(more) - alone, "<=", 0.02)
