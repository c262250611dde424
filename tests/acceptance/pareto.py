"""The way out of a dead end: parents that win something, instead of parents that lead; ours and the gepa package."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from math import sqrt
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from gepa.api import optimize
from gepa.core.adapter import EvaluationBatch

from swarmmind.effects import Limits
from swarmmind.optimizers.conduct import Conclusion, Stops
from swarmmind.optimizers.gepa import gepa
from swarmmind.optimizers.parameters import TextParameter
from swarmmind.optimizers.pareto import pareto
from swarmmind.optimizers.study import Optimize, Study
from swarmmind.ports import Request
from swarmmind.runtime.journal import content
from swarmmind.testing.play import Played
from tests.optimizers.hills import Asking, Function, conducted, document, study

from .experiment import Experiment
from .paired import over, paired

SEEDS = range(900, 940)
INSTANCES, EASY, HARDEST = 10, 6, 9
TEMPTED = 0.45  # how often an editor leaves the start for the dead end
OURS: dict[str, dict[str, Any]] = {
    "pareto": {},
    "best": {"select": "best"},
    "epsilon-greedy": {"select": "epsilon-greedy"},
    "unpruned": {"prune": False},
}
SPEC = {"pareto": 1.0, "best": 0.4, "epsilon-greedy": 0.4, "unpruned": 0.43, "gepa": 1.0}
WIDE, TIGHT = (1500, 5), (300, 3)  # budget, examples in a batch
GATES, LEARNED = 60, 30  # of useless children, with so many examples to learn from


def solves(text: str, instance: int) -> float:
    """The dead-end world: `easy` solves six instances and never more, `steps k` the k hardest, the start nearly one."""
    kind, _, rest = text.partition(" ")
    if kind == "easy":
        return float(instance < EASY)
    if kind == "steps":
        return float(instance >= INSTANCES - int(rest.split()[0]))
    return 0.1 if instance == HARDEST else 0.0


def edited(text: str, rng: random.Random) -> str:
    """One step from where a text is; every text is a new one, as an editor's are."""
    kind, _, rest = text.partition(" ")
    tempted = rng.random() < TEMPTED
    if kind == "easy" or (kind == "start" and tempted):
        moved = "easy"
    else:
        moved = f"steps {min(int(rest.split()[0]) + 1 if kind == 'steps' else 1, INSTANCES)}"
    return f"{moved} (version {rng.getrandbits(48):012x})"


def say(request: Request, rng: random.Random) -> str:
    """What the editor says, and a worker whose answer is its score."""
    if request.agent.id == "worker":
        return str(solves(request.observation["prompt"], _instance(request.messages[-1].content.split(":")[0])))
    return document(value=edited(request.observation["value"], rng), note="")


def _instance(example: str) -> int:
    return int(example.split("-")[1])


def _study() -> Study:
    return study((TextParameter("prompt"),), {"prompt": "start"}, train=INSTANCES, validate=INSTANCES)


# --- what is run ------------------------------------------------------------------------------------------------------


class Search(NamedTuple):
    """What a search came to.

    Attributes:
        solved: whether all instances are, by its result.
        spent: examples, as the study counts them.
        counted: as the evaluator counts them.
        twice: how many of these it was asked before.
    """

    solved: bool
    spent: int
    counted: int
    twice: int


def search(optimizer: Optimize, setting: tuple[int, int], seed: int, **parameters: Any) -> Search:
    """A study in the dead-end world, in a run of its own."""
    budget, batch = setting
    function = Function(lambda values, example, rep: solves(values["prompt"], _instance(example)))
    stops = Stops(examples=budget, target=1.0)
    with tempfile.TemporaryDirectory() as folder:
        parameters = {"steps": budget, "batch": batch, **parameters}
        journal = Path(folder) / "journal.sqlite"
        end, _ = conducted(
            optimizer, _study(), function, journal, answers=say, stops=stops, seed=seed, **parameters
        )  # fmt: skip
    asked = function.asked
    return Search(_mean(end) > 1 - 1e-9, end.examples, len(asked), len(asked) - len(set(asked)))


def _mean(end: Conclusion) -> float:
    assert end.evaluation is not None
    return end.evaluation.mean


def searches(seed: int) -> dict[str, Search]:
    """Every variant, on one seed."""
    found = {name: search(pareto, WIDE, seed, **parameters) for name, parameters in OURS.items()}
    found["gepa"] = search(gepa, WIDE, seed)
    found["pareto, tight"] = search(pareto, TIGHT, seed)
    found["gepa, tight"] = search(gepa, TIGHT, seed)
    found["gepa on its own"] = alone(WIDE, seed)
    return found


def alone(setting: tuple[int, int], seed: int) -> Search:
    """The package without us: its loop, its budget, its editor a function."""
    rng, asked = random.Random(seed), 0

    class Adapter:
        def evaluate(self, batch: list[int], candidate: dict[str, str], capture_traces: bool = False) -> Any:
            nonlocal asked
            asked += len(batch)
            scores = [solves(candidate["prompt"], instance) for instance in batch]
            return EvaluationBatch(outputs=scores, scores=scores, trajectories=scores)

        def make_reflective_dataset(self, candidate: Any, evaluated: Any, names: Sequence[str]) -> Mapping[str, Any]:
            return {name: [] for name in names}

        def propose_new_texts(self, candidate: dict[str, str], dataset: Any, names: Sequence[str]) -> dict[str, str]:
            return {name: edited(candidate[name], rng) for name in names}

    class Silent:
        def log(self, message: str) -> None: ...

    run: Any = optimize
    instances = list(range(INSTANCES))
    found = run(
        {"prompt": "start"}, instances, instances, adapter=Adapter(), max_metric_calls=setting[0],
        reflection_minibatch_size=setting[1], logger=Silent(), seed=seed,
    )  # fmt: skip
    return Search(max(found.val_aggregate_scores) > 1 - 1e-9, found.total_metric_calls, asked, 0)


# --- resume -----------------------------------------------------------------------------------------------------------


class Resumed(NamedTuple):
    """A study that was stopped by its budget and gone on with, beside one that was not.

    Attributes:
        repeated: calls that were made again.
        same: whether both came to the same, and journaled the same.
        prompts: runs that each reflection of the whole study shows, in its journaled prompts.
    """

    repeated: int
    same: bool
    prompts: set[int]


def resumed(optimizer: Optimize, calls: int, seed: int) -> Resumed:
    """A study whose examples are calls, too."""

    def part(journal: Path, limits: Limits | None = None) -> tuple[Conclusion, Played]:
        stops = Stops(examples=400, target=1.0)
        return conducted(
            optimizer, _study(), Asking("prompt"), journal, answers=say, stops=stops, limits=limits, seed=seed,
            steps=100, batch=5,
        )  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:
        whole, cut = Path(folder) / "whole.sqlite", Path(folder) / "cut.sqlite"
        end, first = part(whole)
        _, before = part(cut, Limits(calls=calls))
        again, after = part(cut)
        rows = list(content(whole))
        made = len(before.asked) + len(after.asked)
        return Resumed(made - len(first.asked), again == end and rows == list(content(cut)), _shown(rows))


def _shown(rows: Sequence[Sequence[str]]) -> set[int]:
    asked = [json.loads(row[5])[0][-1]["content"] for row in rows if row[0] == "result" and row[3] == "editor"]
    return {prompt.count("\nRun train-") for prompt in asked}


# --- the gate ---------------------------------------------------------------------------------------------------------


def useless(seed: int) -> tuple[int, bool]:
    """Children that are no better, examples that come out by luck: how many pass the gate, and whether one wins."""
    given = study((TextParameter("prompt"),), {"prompt": "start"}, train=LEARNED, validate=LEARNED)

    def luck(values: Mapping[str, Any], example: str, rep: int) -> float:
        if example.startswith("validate"):
            return 0.6
        drawn = blake2b(f"{seed}/{values['prompt']}/{example}".encode(), digest_size=7).digest()
        return float(int.from_bytes(drawn, "big") / 2**56 < 0.45 + 0.5 * _instance(example) / LEARNED)

    function = Function(luck)
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.sqlite"
        end, _ = conducted(pareto, given, function, journal, answers=say, seed=seed, steps=GATES)
    start = given.start[0]
    through = {one for one, example, _ in function.asked if example.startswith("validate")} - {start.id}
    return len(through), end.best != start


# --- the experiment ---------------------------------------------------------------------------------------------------


def run() -> Experiment:
    """All variants on the same seeds."""
    experiment = Experiment("pareto", f"a dead end, {len(SEEDS)} seeds", ["variant", "solved", "spec", "spent at most"])
    played = over(SEEDS, searches)
    solved: dict[str, float] = {}
    for name in played[0]:
        found = [one[name] for one in played]
        solved[name] = mean(one.solved for one in found)
        experiment.row(name, solved[name], SPEC.get(name, ""), max(one.spent for one in found))
        if "on its own" in name:
            continue
        budget, _ = TIGHT if "tight" in name else WIDE
        experiment.expect(f"{name}: spent at most", max(one.spent for one in found), "<=", budget)
        experiment.expect(f"{name}: spent, but not counted", sum(one.spent - one.counted for one in found), "==", 0)
        experiment.expect(f"{name}: scored twice", sum(one.twice for one in found), "==", 0)
    experiment.expect("pareto solves", solved["pareto"], ">=", 0.9)
    for name in ("best", "epsilon-greedy"):
        experiment.expect(f"{name} solves", solved[name], "<=", 0.6)
    gain, half = paired(*([one[name].solved for one in played] for name in ("pareto", "unpruned")))
    experiment.expect("pareto over unpruned, lower end", gain - half, ">=", 0.2)
    for one, other in (("pareto", "gepa"), ("pareto, tight", "gepa, tight"), ("gepa", "gepa on its own")):
        p = (solved[one] + solved[other]) / 2
        error = max(1.96 * sqrt(2 * p * (1 - p) / len(SEEDS)), 0.05)
        experiment.expect(f"{one} less {other}", abs(solved[one] - solved[other]), "<=", error)
    _expect_resumed(experiment)
    _expect_gate(experiment)
    return experiment


def _expect_resumed(experiment: Experiment) -> None:
    for name, optimizer in (("pareto", pareto), ("gepa", gepa)):
        for calls in (7, 93, 151):
            again = resumed(optimizer, calls, SEEDS[0])
            experiment.expect(f"{name}, stopped after {calls} calls: repeated", again.repeated, "==", 0)
            experiment.expect(f"{name}, stopped after {calls} calls: the same", again.same, "==", True)
            experiment.expect(f"{name}: runs in a journaled reflection", again.prompts, "==", {5})


def _expect_gate(experiment: Experiment) -> None:
    found = over(SEEDS, useless)
    share = mean(through for through, _ in found) / GATES
    experiment.row("useless children that pass the gate", share, "0.29 to 0.34", "")
    experiment.expect("useless children that pass the gate", abs(share - 0.315), "<=", 0.045)
    experiment.expect("useless children that become the result", sum(won for _, won in found), "==", 0)
