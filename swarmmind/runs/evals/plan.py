"""From a loaded task to an eval, before anything is started or paid for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import Any, NamedTuple

from swarmmind.errors import UserError
from swarmmind.evals.datasets import Item
from swarmmind.evals.published import PUBLISHED
from swarmmind.evals.record import Arm, Case, Episode, Instance, Manifest
from swarmmind.runs.evals.grid import SAME_ANSWERS, Variant, cases, digest, essence, rows, seeds, shown, variant
from swarmmind.runs.plan import Plan, make_plan
from swarmmind.spec import EnvironmentProblem, LoadedTask, ModelSpec
from swarmmind.spec.evaluate import Control

_GOLDEN, _SQUARE = (sqrt(5) - 1) / 2, sqrt(2) - 1
_TEXT = 400  # characters of a problem that the manifest keeps
_MOST_GUESSED = 2000  # pairs of problems


class Crew(NamedTuple):
    """Who plays: an arm on a case.

    Attributes:
        plan: of a run of it.
        control: how it spends another arm's tokens; `None` if it is no control.
        of: the play of that arm.
    """

    plan: Plan
    control: Control | None = None
    of: str = ""


class EvalPlan(NamedTuple):
    """An eval that has not begun.

    Attributes:
        base: the run of the task as it is.
        manifest: what is played.
        crews: by play.
        items: by instance; `None` is a world, or a data set that is taken whole.
        at_once: how many episodes may be under way.
    """

    base: Plan
    manifest: Manifest
    crews: Mapping[str, Crew]
    items: Mapping[str, Item | None]
    at_once: int

    def episodes(self, *, controls: bool = False) -> list[Episode]:
        """What is to be played, each once: seed by seed, so that half an eval is an eval of all arms.

        Args:
            controls: those instead that spend what others have spent.
        """
        manifest = self.manifest
        found: dict[str, Episode] = {}
        for seed in manifest.seeds:
            for instance in manifest.instances:
                for arm in manifest.arms:
                    play = manifest.plays.get(f"{arm.id} {instance.case}")
                    if play is not None and (self.crews[play].control is not None) == controls:
                        episode = Episode(play, instance.id, seed)
                        found.setdefault(episode.label(), episode)
        return list(found.values())

    def specs(self) -> dict[str, ModelSpec]:
        """The models of all arms."""
        return {name: spec for crew in self.crews.values() for name, spec in crew.plan.specs.items()}


def dither(number: int, seed: int = 0) -> float:
    """The number-th of a sequence in [0, 1) whose every stretch is spread evenly (multiples of the golden ratio).

    Each seed has a sequence of its own, and these are spread evenly too. So what a control of one problem and seed may
    spend does not depend on which others are played.
    """
    return ((number + 1) * _GOLDEN + seed % (1 << 32) * _SQUARE) % 1.0


def make_eval(
    loaded: LoadedTask, inputs: Mapping[str, Any] | None = None, name: str | None = None, *, allow_code: bool = False
) -> EvalPlan:
    """Look up and build all parts of an eval.

    Args:
        loaded: a task.
        inputs: values for the names that the task declares under `inputs`.
        name: what it is called; the task says if left out.
        allow_code: whether the user allowed the task to name Python code.

    Raises:
        SpecError: a row does not load, or nothing is scored; with the place.
    """
    return _Making(loaded, inputs or {}, allow_code).made(name)


class _Making:
    def __init__(self, loaded: LoadedTask, inputs: Mapping[str, Any], allow_code: bool) -> None:
        self._loaded, self._inputs, self._allow_code = loaded, inputs, allow_code
        self._crews: dict[str, Crew] = {}
        self._plays: dict[str, str] = {}
        self._items: dict[str, Item | None] = {}
        self._instances: list[Instance] = []
        self._notes: list[str] = []

    def made(self, name: str | None) -> EvalPlan:
        loaded, told = self._loaded, self._loaded.task.evaluate
        self._presentable()
        base = self._plan({}, "")
        base = base if name is None else base._replace(name=name)
        rivals, tried = rows(loaded), cases(loaded)
        arms = self._arms(rivals)
        columns = [_column(case, told.columns) for case in tried]
        room = dict.fromkeys(columns, told.limit)
        kept: list[Case] = []
        for case, column in zip(tried, columns, strict=True):
            made = Case(digest(case.axes), case.axes, column)
            there = self._play(made, rivals, arms, room[column])
            if there:
                kept.append(made)
                left = room[column]
                room[column] = None if left is None else left - there
        manifest = Manifest(
            name=base.name,
            arms=arms,
            cases=kept,
            instances=self._instances,
            seeds=seeds(loaded.task),
            plays=self._plays,
            description=loaded.task.description or "",
            columns=told.columns or "",
            curve=told.curve or "",
            headline=told.headline,
            units=dict(told.units),
            bounds=self._bounds(base),
            also=list(told.also),
            published=told.published or "",
            threshold=told.threshold,
            guess=_guesses(kept, self._instances, self._items, base),
            notes=self._notes,
        )
        return EvalPlan(base, manifest, self._crews, self._items, told.max_concurrent)

    def _plan(self, changes: Mapping[str, Any], name: str) -> Plan:
        loaded = variant(self._loaded, changes, name, allow_code=self._allow_code)
        plan = make_plan(loaded, self._inputs, allow_code=self._allow_code)
        if plan.team.memory.stores():
            message = "outlives the run: episodes would learn from each other; take a memory without a store"
            raise self._loaded.error(("swarm", "memory"), message)
        if plan.society.environment is None and plan.scoring is None:
            raise self._loaded.error((), "has no 'score': an eval compares scores")
        return plan

    def _presentable(self) -> None:
        """What is said about the table fits its axes."""
        loaded, told = self._loaded, self._loaded.task.evaluate
        axes = {path for found in (*cases(loaded), *rows(loaded)) for path in found.axes}
        for key, path in (("columns", told.columns), ("curve", told.curve)):
            if path is not None and path not in axes and (key, path) != ("columns", "kind"):
                raise loaded.error(
                    ("eval", key), f"{path!r} is no axis; there are: {', '.join(sorted(axes)) or 'none'}"
                )
        if told.published is not None and told.published not in PUBLISHED:
            raise loaded.error(("eval", "published"), f"unknown results; there are: {', '.join(PUBLISHED)}")

    def _bounds(self, base: Plan) -> tuple[float, float] | None:
        given = self._loaded.task.evaluate.bounds
        if given is not None:
            return given[0], given[1]
        return None if isinstance(self._loaded.task.problem, EnvironmentProblem) else (0.0, 1.0)

    def _arms(self, rivals: Sequence[Variant]) -> list[Arm]:
        """The rows, each arm with its controls below it."""
        found: list[Arm] = []
        for number, row in enumerate(rivals, 1):
            arm = Arm(f"a{number}", row.name, row.kind, row.axes)
            found.append(arm)
            if row.kind == "arm" and self._controllable():
                found += [
                    Arm(f"{arm.id}-{control}", f"{row.name} / {control}", "control", row.axes, arm.id)
                    for control in self._loaded.task.compare
                ]
        return found

    def _controllable(self) -> bool:
        task = self._loaded.task
        world = isinstance(task.problem, EnvironmentProblem)
        if not world and not task.compare and (task.grid or task.swarm.topology.use != "solo"):
            note = "no controls: a swarm's gain may be its tokens' doing; --compare solo --compare vote spends the same"
            self._notes += [] if note in self._notes else [note]
        if not task.compare or not world:
            return True
        note = "no controls: a world is not one agent's to play; the baselines and floors stand in their place"
        if note not in self._notes:
            self._notes.append(note)
        return False

    def _play(self, case: Case, rivals: Sequence[Variant], arms: Sequence[Arm], limit: int | None) -> int:
        """Add the crews and instances of a case; returns how many instances there are."""
        ids = {arm.name: arm.id for arm in arms if arm.kind != "control"}
        found: list[Instance] = []
        for number, row in enumerate(rivals):
            changes = {**case.axes, **row.changes}
            plan = self._plan(changes, " · ".join(filter(None, (row.name, case.column))))
            if not number:
                found = self._add_instances(case, plan, limit)
                if not found:
                    return 0
            elif plan.team.whole != (self._items[found[0].id] is None and bool(plan.items)):
                message = f"{row.name} takes the data set as a whole, and others do not: their scores cannot be paired"
                raise self._loaded.error(("grid",), message)
            taken = [list(item) for item in plan.items] if plan.team.whole else changes.get("problem.limit")
            play = digest([essence(plan.loaded), _reached(changes), taken])
            self._crews.setdefault(play, Crew(plan))
            self._plays[f"{ids[row.name]} {case.id}"] = play
            for control in arms:
                if control.of == ids[row.name]:
                    self._add_control(control, case, changes, plan, play)
        return len(found)

    def _add_control(self, control: Arm, case: Case, changes: Mapping[str, Any], plan: Plan, play: str) -> None:
        kind: Control = "vote" if control.id.endswith("-vote") else "solo"
        if plan.team.whole:
            raise self._loaded.error(("compare",), "has no meaning for a topology that takes the data set as a whole")
        name = plan.society.agents[0].model
        alone = [{"card": "solver", **({} if name == plan.task.model.name else {"model": name})}]
        swarm = {"agents": alone, "topology": "solo"}
        kept = {path: value for path, value in changes.items() if not path.startswith("swarm")}
        made = digest([play, kind])
        self._crews.setdefault(made, Crew(self._plan({**kept, "swarm": swarm}, control.name), kind, play))
        self._plays[f"{control.id} {case.id}"] = made

    def _add_instances(self, case: Case, plan: Plan, limit: int | None) -> list[Instance]:
        if limit is not None and limit < 1:
            return []
        if plan.society.environment is not None or plan.team.whole:
            made = [Instance(case.id, case.id)]
            self._items[case.id] = None
        else:
            made = self._problems(case, plan.items[:limit])
        self._instances += made
        return made

    def _problems(self, case: Case, items: Sequence[Item]) -> list[Instance]:
        found: list[Instance] = []
        times: dict[str, int] = {}
        for item in items:
            known = digest([item.text, item.target, item.kind])
            times[known] = times.get(known, 0) + 1
            number = f"-{times[known]}" if times[known] > 1 else ""
            made = f"{case.id}-{known}{number}"
            self._items[made] = item
            target = "" if item.target is None else _short(item.target)
            found.append(Instance(made, case.id, _short(item.text), target, item.kind))
        return found


def _column(case: Variant, path: str | None) -> str:
    return shown(case.axes[path]) if path is not None and path in case.axes else ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}..."


def _reached(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Of what makes a row: how a model is reached, where it is just this that is compared."""
    found = {path: value for path, value in changes.items() if path.rpartition(".")[2] in SAME_ANSWERS}
    whole = {path: value for path, value in changes.items() if isinstance(value, dict) and "base_url" in value}
    return found | whole


def _pairs(many: int, most: int) -> Iterator[tuple[int, int]]:
    """About `most` of the pairs of so many, evenly spread, in the order of `combinations`; all if they are fewer."""

    def before(first: int) -> int:
        return first * (2 * many - first - 1) // 2

    total = many * (many - 1) // 2
    for number in range(0, total, max(1, total // most)):
        first = bisect_right(range(many), number, key=before) - 1
        yield first, first + 1 + number - before(first)


def _guesses(
    kept: Sequence[Case], instances: Sequence[Instance], items: Mapping[str, Item | None], base: Plan
) -> dict[str, float]:
    """What answers to other problems score on average: what is left of a score for who knows only how answers look."""
    scoring, score = base.scoring, base.task.score
    if scoring is None or scoring.grade is not None or (score is not None and ":" in score.use):
        return {}  # it takes long, or is somebody's own
    columns = {case.id: case.column for case in kept}
    targets: dict[str, list[Any]] = {}
    for instance in instances:
        item = items[instance.id]
        if item is None or item.target is None:
            return {}
        targets.setdefault(columns[instance.case], []).append(item.target)
    found: dict[str, float] = {}
    for column, known in targets.items():
        try:
            scores = [scoring.score(str(known[a]), known[b]) for a, b in _pairs(len(known), _MOST_GUESSED)]
        except (UserError, ValueError, TypeError):
            return {}
        if scores:
            found[column] = sum(scores) / len(scores)
    return found if "" in found or not found else {**found, "": sum(found.values()) / len(found)}
