"""From a loaded task to everything a run is made of, before anything is started or paid for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from swarmmind.agents.asker import Society as AgentSociety
from swarmmind.effects import Program
from swarmmind.errors import SpecError, UserError, near
from swarmmind.evals import environments
from swarmmind.evals.datasets import Dataset, Item
from swarmmind.evals.environments import ENVIRONMENTS
from swarmmind.evals.scorers import SCORERS
from swarmmind.evals.scoring import Scoring, finite, held
from swarmmind.ports import Context, Environment
from swarmmind.rng import Streams
from swarmmind.runs.items import make_dataset
from swarmmind.runs.judging import make_judge
from swarmmind.runs.parameters import Complain, build
from swarmmind.runs.problems import many, one, school, whole
from swarmmind.runs.teams import Team, make_societies, make_team, models_named
from swarmmind.spec import DatasetProblem, EnvironmentProblem, LoadedTask, ModelSpec, Task, load_code
from swarmmind.spec.source import Place
from swarmmind.spec.templates import template
from swarmmind.topologies import TOPOLOGIES, Question, Society


class Plan(NamedTuple):
    """A run that has not begun.

    Attributes:
        loaded: the task.
        name: what the run is called.
        streams: the master seed's random streams.
        society: the population with its problem.
        program: the root program.
        items: the problems of a data set, or the one problem; empty for a world.
        scoring: how outputs are judged, or `None`.
        calls: of a run without failures; `None` if the topology cannot say.
        specs: the models that agents use, by the name agents know them by.
        societies: the swarms that stand for agents, by the name agents know them by.
        team: the swarm without its problem.
    """

    loaded: LoadedTask
    name: str
    streams: Streams
    society: Society
    program: Callable[[Context], Program]
    items: list[Item]
    scoring: Scoring | None
    calls: int | None
    specs: Mapping[str, ModelSpec]
    societies: Mapping[str, AgentSociety]
    team: Team

    @property
    def task(self) -> Task:
        """The task's values."""
        return self.loaded.task

    @property
    def rehearsable(self) -> bool:
        """Whether agents and embedder answer from this process at once: the run needs no network and no real time."""
        here = all(spec.provider in ("scripted", "builtin") for spec in self.specs.values())
        return here and self.task.embedder.at_once

    def score(self, value: Any, recorded: Any = None) -> float | None:
        """The run's score: the world's own, the mean of a data set, or the output's; `None` if nothing was scored.

        A problem of a data set without an output counts 0 only if its agents spoke: one that failed for want of an
        answer is left out, and the coverage says so.

        Args:
            value: what the program returned.
            recorded: what it recorded as `score`, where judging is a program.
        """
        if self.society.environment is not None:
            return self.society.environment.score
        if self.scoring is None or value is None:
            return None
        if self.scoring.grade is not None:
            return recorded["score"] if recorded else None
        if not isinstance(self.task.problem, DatasetProblem):
            return self.scoring.score(value, self.items[0].target)
        pairs = zip(value, self.items, strict=True)
        scores = [self.scoring.score(output, item.target) for output, item in pairs if output is not None]
        known = [score for score in map(finite, scores) if score is not None]
        return sum(known) / len(known) if known else None


def make_plan(loaded: LoadedTask, inputs: Mapping[str, Any] | None = None, *, allow_code: bool = False) -> Plan:
    """Look up and build all parts of a run.

    Args:
        loaded: the task.
        inputs: values for the names that the task declares under `inputs`.
        allow_code: whether the user allowed the task to name Python code.

    Raises:
        SpecError: a part is unknown, a parameter is wrong or a topology cannot work with its swarm; with its place in
            the task.
        UserError: an input is not declared.
    """
    task = loaded.task
    streams = Streams(task.seed)
    team = make_team(loaded, loaded.swarm, streams, allow_code=allow_code)
    scoring = _scoring(loaded, allow_code)
    dataset = _dataset(loaded, scoring)
    scoring = scoring or (dataset.scoring if dataset else None)
    environment = make_environment(loaded, len(team.agents), allow_code)
    known = TOPOLOGIES.get(loaded.topology.use)
    if environment is not None and known is not None and not known.world:
        message = f"{loaded.topology.name!r} works on a question, and the problem is an environment; use 'world'"
        raise loaded.error(("swarm", "topology"), message)
    question = Question("", scoring.output, scoring.read, scoring.marked) if scoring else Question("")
    items = _items(loaded, inputs or {}, dataset, environment)
    if items:
        question = question._replace(text=items[0].text)
    society = team.society(question, environment, task.seed)
    if isinstance(task.problem, DatasetProblem):
        society = school(society, items, scoring.judge if scoring else None) if team.whole else society
        program = (whole if team.whole else many)(team.run, society, items, scoring)
    else:
        program = one(team.run, society, scoring, items[0] if items else None)
    societies = make_societies(loaded, streams, allow_code=allow_code)
    each = team.calls(society) if team.calls else None
    times = 1 if team.whole else max(1, len(items))
    judging = scoring.asks * len(items) if scoring else 0
    calls = None if each is None or societies else each * times + judging
    name = task.name or (loaded.path.resolve().parent.name if loaded.path else "run")
    return Plan(loaded, name, streams, society, program, items, scoring, calls, models_named(loaded), societies, team)


def _dataset(loaded: LoadedTask, scoring: Scoring | None) -> Dataset | None:
    task = loaded.task
    if not isinstance(task.problem, DatasetProblem):
        return None
    own = task.score is None or ":" in task.score.use  # which may need none
    scored = scoring is not None and scoring.targeted and not own
    return make_dataset(task.problem, loaded.folder, complaining(loaded, ("problem",)), scored=scored)


def _items(
    loaded: LoadedTask, inputs: Mapping[str, Any], dataset: Dataset | None, environment: Environment | None
) -> list[Item]:
    task = loaded.task
    unknown = [name for name in inputs if name not in task.inputs]
    if unknown:
        hint = near(unknown[0], list(task.inputs)) if task.inputs else "; the task declares no 'inputs'"
        raise UserError(f"input {unknown[0]!r} is not declared by the task{hint}")
    if dataset is not None:
        return list(dataset.items)
    if environment is not None:
        return []
    text = str(task.problem)
    if task.inputs:
        text = template(text, Place()).render({**task.inputs, **inputs})
    return [Item(text, task.score.target if task.score else None)]


def _scoring(loaded: LoadedTask, allow_code: bool) -> Scoring | None:
    score = loaded.task.score
    if score is None:
        return None
    complain = complaining(loaded, ("score",))
    if ":" in score.use:
        function = load_code(score.use, loaded.folder, allow_code)
        return function if isinstance(function, Scoring) else Scoring(held(function))
    if score.use not in SCORERS and not score.judged:
        raise loaded.error(("score", "use"), f"unknown scorer {score.use!r}{near(score.use, [*SCORERS, 'judge'])}")
    scoring = (
        make_judge(loaded, score, complain) if score.judged else build(SCORERS[score.use], score.parameters, complain)
    )
    if scoring.targeted and score.target is None and not isinstance(loaded.task.problem, DatasetProblem):
        raise loaded.error(("score",), "needs a 'target': what is right")
    return scoring


def make_environment(loaded: LoadedTask, agents: int, allow_code: bool) -> Environment | None:
    """The world of a task's problem, for so many agents; `None` if the problem is none.

    Raises:
        SpecError: it is unknown, or a parameter is wrong; with its place in the task.
    """
    problem = loaded.task.problem
    if not isinstance(problem, EnvironmentProblem):
        return None
    name, given = problem.environment, dict(problem.parameters)
    if ":" in name:
        factory: Callable[..., Any] = load_code(name, loaded.folder, allow_code)
    elif name in ENVIRONMENTS:
        factory = environments.environment(name)
    else:
        path = ("problem", "environment")
        raise loaded.error(path, f"unknown environment {name!r}{near(name, list(ENVIRONMENTS))}")
    known = inspect.signature(factory).parameters
    if "agents" not in given and "agents" in known:
        given["agents"] = agents
    ours = {name: given.pop(name) for name in ("rounds", "noop") if name in given and name not in known}
    complain = complaining(loaded, ("problem",))
    made = build(factory, given, complain)
    return (
        build(partial(environments.parallel_world, made), ours, complain) if hasattr(made, "possible_agents") else made
    )


def complaining(loaded: LoadedTask, path: tuple[str, ...]) -> Complain:
    """Errors about parameters that stand at a path of the task."""

    def complain(name: str, message: str) -> SpecError:
        at = (*path, name) if name else path
        known = at in loaded.source.values or not name
        return loaded.error(at, message) if known else loaded.error(path, f"{name}: {message}")

    return complain
