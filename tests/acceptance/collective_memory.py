"""Emergent collective memory (arXiv 2512.10166): what private memory and traces are worth, and who must read them."""

from __future__ import annotations

from statistics import mean
from typing import Any, NamedTuple

from swarmmind.effects import Agent, Program
from swarmmind.evals.collective import Collective, Rule
from swarmmind.memory import Window
from swarmmind.models.local import PolicyModel
from swarmmind.ports import Context
from swarmmind.rng import Streams
from swarmmind.topologies import TOPOLOGIES, Society

from .experiment import Experiment
from .paired import Rehearsed, over, paired, rehearse

SIZE = 24
FIRST_SEED = 500  # the constants of the world were chosen on seeds below 124
SEEDS = {7: 12, 28: 12, 58: 12, 115: 12, 173: 12}
"""Seeds by the number of agents: densities .012, .049, .1, .2 and .3."""
CONDITIONS: dict[str, dict[str, Any]] = {
    "none": {"memory": False, "traces": False},
    "memory": {"memory": True, "traces": False},
    "traces only": {"memory": False, "traces": True},
    "both": {"memory": True, "traces": True},
    "reactive": {"memory": False, "traces": True, "reader": "reactive"},
}
PAIRS = ("memory/none", "both/memory", "reactive/memory", "reactive/none")
WORDS = ("You remember food at", "You sense traces at")
EATEN_UP: dict[str, Any] = {"patch": 1, "patches": 14, "food": 0.25}
"""The null: single cells that hold one meal each, as many for each agent at any density; where one was is nothing."""


class Run(NamedTuple):
    """One game: meals per agent, a digest of all positions in all rounds, and calls answered."""

    meals: float
    trail: str
    asks: int


def run() -> Experiment:
    """Five densities and a null x five conditions on paired seeds, all through the driver."""
    experiment = Experiment(
        "collective-memory", f"meals per agent in 240 rounds on {SIZE} x {SIZE}; gains in % on paired seeds",
        ["density", "seeds", *CONDITIONS, *(pair.replace("/", " / ") for pair in PAIRS[:3]), "calls"],
    )  # fmt: skip
    gains = {agents: _row(experiment, agents, {}) for agents in SEEDS}
    for agents, gain in gains.items():
        density = _density(agents)
        if agents >= 28:
            experiment.expect(f"{density}: memory gains on none, %", gain["memory/none"], ">=", 40.0)
        if agents >= 58:
            experiment.expect(f"{density}: traces gain on memory, %", gain["both/memory"], ">=", 50.0)
            more = gain["both/memory"] - gains[7]["both/memory"]
            experiment.expect(f"{density}: and more than in a thin crowd, points", more, ">=", 30.0)
        what = f"{density}: who steers on traces gains without a memory, %"
        experiment.expect(what, gain["reactive/none"], ">=", 40.0)
    null = _row(experiment, 58, EATEN_UP)
    experiment.expect("null, food that is eaten up: traces gain on memory, %", null["both/memory"], "<", 0.0)
    _expect_words(experiment)
    return experiment


def _density(agents: int) -> str:
    return f"{agents / SIZE**2:.3f}"


def _row(experiment: Experiment, agents: int, world: dict[str, Any]) -> dict[str, float]:
    """One density: the table's row, what holds on every seed, and the gains in percent."""
    seeds = range(FIRST_SEED, FIRST_SEED + SEEDS[agents])
    jobs = [(name, seed) for name in CONDITIONS for seed in seeds]
    played = dict(zip(jobs, over(range(len(jobs)), _job, agents, world, jobs), strict=True))
    meals = {name: [played[name, seed].meals for seed in seeds] for name in CONDITIONS}
    gains, shown = dict[str, float](), list[str]()
    for pair in PAIRS:
        more, less = pair.split("/")
        gain, half = paired(meals[more], meals[less])
        gains[pair] = 100.0 * gain / mean(meals[less])
        shown.append(f"{gains[pair]:+.0f} ± {100.0 * half / mean(meals[less]):.0f}")
    density = f"{_density(agents)} null" if world else _density(agents)
    cells = [f"{mean(found):.2f}" for found in meals.values()]
    experiment.row(density, len(seeds), *cells, *shown[:3], sum(game.asks for game in played.values()))
    same = sum(played["none", seed].trail == played["traces only", seed].trail for seed in seeds)
    experiment.expect(f"{density}: seeds on which traces that nobody reads change no step", same, "==", len(seeds))
    return gains


def _job(agents: int, world: dict[str, Any], jobs: list[tuple[str, int]], at: int) -> Run:
    name, seed = jobs[at]
    done = _played(agents, seed, {**world, **CONDITIONS[name]})
    assert done.asks == done.planned, f"{done.planned - done.asks} asks were not answered"
    return Run(float(done.value["score"]), str(done.value["trail"]), done.asks)


def _played(agents: int, seed: int, world: dict[str, Any], *, with_journal: bool = False) -> Rehearsed:
    """One game through the driver, with rule-based agents."""
    environment = Collective(agents, size=SIZE, **world)
    members = [Agent(f"forager-{at}", "forager", model="m", index=at) for at in range(agents)]
    society = Society(members, Window(0), environment=environment, seed=seed)

    def program(ctx: Context) -> Program:
        return TOPOLOGIES["world"].program(ctx, society)

    return rehearse(program, PolicyModel(Rule, Streams(seed)), seed, with_journal=with_journal)


def _expect_words(experiment: Experiment) -> None:
    """What each condition shows its agents, as the journal of one game has it."""
    told = {"none": (0, 0), "memory": (1, 0), "traces only": (0, 0), "both": (1, 0), "reactive": (0, 1)}
    for name, expected in told.items():
        rows = _played(7, FIRST_SEED, {**CONDITIONS[name], "rounds": 80}, with_journal=True).journal
        requests = [row[5] for row in rows if row[0] == "result"]
        assert any("You see food at" in request for request in requests), "no prompt tells of food"
        found = tuple(int(any(words in request for request in requests)) for words in WORDS)
        experiment.expect(f"{name}: journaled prompts tell of memories, of traces", found, "==", expected)
