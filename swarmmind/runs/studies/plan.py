"""From a loaded task to a study, before anything is started or paid for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, cast

from swarmmind.agents.population import populate
from swarmmind.effects import Agent, Program
from swarmmind.errors import SpecError, UserError, near
from swarmmind.optimizers import OPTIMIZERS, Optimizer
from swarmmind.optimizers.candidate import candidate
from swarmmind.optimizers.conduct import Stops
from swarmmind.optimizers.study import Most, Study
from swarmmind.ports import Context
from swarmmind.rng import Stage
from swarmmind.runs.parameters import checked
from swarmmind.runs.plan import Plan, complaining, make_plan
from swarmmind.runs.studies.evaluator import TeamEvaluator
from swarmmind.runs.studies.examples import Examples, examples_of
from swarmmind.runs.studies.parameters import Bound, bind
from swarmmind.runs.studies.teams import Teams
from swarmmind.runtime.frame import Place
from swarmmind.spec import Group, LoadedSwarm, LoadedTask, ModelSpec, Optimize, Part, PartUse, Swarm, load_code
from swarmmind.spec.source import show

_FOR_GOOD = (
    ("problem",),
    ("score",),
    *(("optimize", name) for name in ("use", "parameters", "train", "validation", "test")),
)
"""What a study is about."""

_KINDS = frozenset({"text", "choice", "float", "graph", "edges", "workflow"})


class StudyPlan(NamedTuple):
    """A study that has not begun.

    Attributes:
        base: the run of the task as it is.
        optimizer: its name.
        program: the optimizer, its parameters filled in.
        study: what it is given.
        bounds: what its parameters change.
        examples: on what candidates are tried.
        teams: makes teams of candidates.
        evaluator: scores them.
        stops: when it ends, its budget aside.
        most: what the optimizer takes at most; `None` if it does not say.
        specs: the models of all candidates, of critic and editor, by the name agents know them by.
    """

    base: Plan
    optimizer: str
    program: Callable[[Context, Study], Program]
    study: Study
    bounds: list[Bound]
    examples: Examples
    teams: Teams
    evaluator: TeamEvaluator
    stops: Stops
    most: Most | None
    specs: Mapping[str, ModelSpec]

    def plan(self, program: Callable[[Context], Program]) -> Plan:
        """The run that is this study, with its root program."""
        items = [example.item for example in self.examples.by_id.values() if example.item is not None]
        society = self.base.society._replace(environment=None)
        return self.base._replace(society=society, program=program, items=items, calls=None, specs=self.specs)


def make_study(loaded: LoadedTask, *, allow_code: bool = False) -> StudyPlan:
    """Look up and build all parts of a study.

    Args:
        loaded: a task with `optimize`.
        allow_code: whether the user allowed the task to name Python code.

    Raises:
        SpecError: the task has no study or one that cannot be, with the place.
    """
    optimize = loaded.task.optimize
    if optimize is None:
        raise loaded.error((), "has no 'optimize': say what may change, and by which optimizer")
    if isinstance(loaded.task.problem, str):
        message = "is one text; a study needs many examples: {dataset: file.jsonl} or {environment: name}"
        raise loaded.error(("problem",), message)
    base = make_plan(loaded, allow_code=allow_code)
    if base.scoring is None and base.society.environment is None:
        raise loaded.error(("optimize",), "needs a 'score' in the task, which tells better from worse")
    optimizer, settings = _optimizer(loaded, optimize, allow_code)
    bounds = bind(loaded, allow_code=allow_code)
    for bound in bounds:
        if bound.parameter.kind not in optimizer.kinds:
            known = ", ".join(sorted(optimizer.kinds))
            message = f"{optimize.use!r} cannot change {bound.name!r}, a {bound.parameter.kind}; it changes: {known}"
            raise loaded.error(bound.at, message)
    start = candidate({bound.name: bound.start for bound in bounds})
    teams = Teams(base, bounds, allow_code=allow_code)
    models = teams.models(start.values)
    examples = examples_of(base)
    critic, editor = _agents(loaded, base)
    for agent in (critic, editor) if optimizer.asks else ():
        task = loaded.task
        models[agent.model] = task.model if agent.model == task.model.name else task.model_named(agent.model)
    study = Study(
        tuple(bound.parameter for bound in bounds),
        (start,),
        examples.train,
        examples.validate,
        critic,
        editor,
        loaded.task.description or "",
    )
    program = partial(_filled, optimizer.program, settings)
    evaluator = TeamEvaluator(base, teams, examples.by_id, start.id)
    stops = Stops(optimize.max_examples, optimize.patience, optimize.target)
    most = _begun(loaded, base, study, program, lambda: optimizer.most(study, **settings))
    return StudyPlan(
        base, optimize.use, program, study, bounds, examples, teams, evaluator, stops, most, models
    )  # fmt: skip


def same_study(begun: LoadedTask, loaded: LoadedTask) -> None:
    """Refuse to go on with a study as another one: what was chosen by would be tested on, what was scored mean else.

    Raises:
        SpecError: problem, score, optimizer, parameters or sets of examples are not what they were; with the place.
    """
    for names in _FOR_GOOD:
        values: list[Any] = [begun.task, loaded.task]
        for name in names:
            values = [getattr(value, name, None) for value in values]
        if values[0] != values[1]:
            at = tuple("validate" if name == "validation" else name for name in names)
            raise loaded.error(at, "is not what the study was begun with; start a new one instead")


def _filled(program: Callable[..., Program], settings: Mapping[str, Any], ctx: Context, study: Study) -> Program:
    return program(ctx, study, **settings)


def _optimizer(loaded: LoadedTask, optimize: Optimize, allow_code: bool) -> tuple[Optimizer, dict[str, Any]]:
    use, at = optimize.use, ("optimize", "use")
    if ":" in use:
        try:
            found: Any = load_code(use, loaded.folder, allow_code)
        except SpecError as error:
            raise error if error.file else loaded.error(at, str(error)) from error
    elif use in OPTIMIZERS:
        found = OPTIMIZERS[use]
    else:
        raise loaded.error(at, f"unknown optimizer {show(use)}{near(use, list(OPTIMIZERS))}")
    if not isinstance(found, Optimizer):
        if not callable(found):
            raise loaded.error(at, f"{use!r} must be a generator function or an Optimizer, got {show(found)}")
        found = Optimizer(cast("Any", found), cast("Any", _unknown), _KINDS)
    keys = [field.alias or name for name, field in Optimize.model_fields.items()]
    complain = complaining(loaded, ("optimize",))
    return found, checked(found.program, optimize.settings, 2, complain, loaded.folder, beside=keys)


def _unknown(study: Study, **settings: Any) -> None:
    """Nobody says what somebody's own generator takes."""


def _agents(loaded: LoadedTask, base: Plan) -> tuple[Agent, Agent]:
    """Critic and editor, as a small swarm beside the task's own."""
    optimize, found = loaded.task.optimize, loaded.optimize
    assert optimize is not None
    assert found is not None
    groups = [
        Group(card=card.name, id=name, model=optimize.model, sampling=optimize.sampling)
        for name, card in zip(("critic", "editor"), found, strict=True)
    ]
    swarm = Swarm(agents=groups, topology=PartUse(use="solo"))
    cards = {card.name: card for card in found}
    pair = LoadedSwarm(swarm, ("optimize",), cards, Part("solo", "solo", {}), (), {})
    critic, editor = populate(loaded.task, pair, base.streams, "study.")
    return critic, editor


def _begun(
    loaded: LoadedTask,
    base: Plan,
    study: Study,
    program: Callable[[Context, Study], Program],
    most: Callable[[], Most | None],
) -> Most | None:
    """What the optimizer takes at most; it is started to its first effects, so that its complaints come first."""
    try:
        beginning = program(Place("study", base.streams, Stage()), study)
        next(beginning, None)
        beginning.close()
        return most()
    except SpecError:
        raise
    except UserError as error:
        optimize = loaded.task.optimize
        assert optimize is not None
        named = [name for name in optimize.settings if name in str(error)]
        raise loaded.error(("optimize", named[0] if named else "use"), str(error)) from error
