"""From a task file to a checked task: read, override, fill in, validate, look everything up. Nothing of it is run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from swarmmind.errors import SpecError, near
from swarmmind.spec import cards, paths, serving, yaml12
from swarmmind.spec.cards import Card, load_card
from swarmmind.spec.complaints import validated
from swarmmind.spec.interpolate import escape
from swarmmind.spec.model import ModelSpec
from swarmmind.spec.optimize import LoadedOptimize, Optimize
from swarmmind.spec.overrides import override
from swarmmind.spec.parts import Part, check_code, is_code, load_part
from swarmmind.spec.source import Fault, KeyPath, Place, Source, printable, raise_faults, read_text, read_yaml, show
from swarmmind.spec.task import DatasetProblem, EnvironmentProblem, PartUse, Swarm, Task
from swarmmind.spec.templates import template
from swarmmind.spec.values import Scalar

T = TypeVar("T")


class LoadedSwarm(NamedTuple):
    """A swarm whose every part was found.

    Attributes:
        swarm: the values.
        path: where it stands in the task.
        cards: the role cards by name.
        topology: the topology, looked up.
        memory: the memories, looked up, in order.
        inner: swarms that stand for the agents of a group, by the group's place in `swarm.groups`.
    """

    swarm: Swarm
    path: KeyPath
    cards: dict[str, Card]
    topology: Part
    memory: tuple[Part, ...]
    inner: dict[int, LoadedSwarm]


class LoadedTask(NamedTuple):
    """A task whose every part was found and is well formed.

    Attributes:
        task: the values.
        folder: the task's folder, which its paths and its own parts are relative to.
        path: the file; `None` for a task that was given as data.
        text: YAML that loads to the same task in the same folder, overrides and environment filled in; no secrets.
        swarm: the swarm, its parts looked up.
        code: what a run would import, `package.module:Name`, `./file.py:Name`, or set a server's flag for, sorted.
        source: the data and its places.
        optimize: the role cards of its study, if it has one.
    """

    task: Task
    folder: Path
    path: Path | None
    text: str
    swarm: LoadedSwarm
    code: list[str]
    source: Source
    optimize: LoadedOptimize | None = None

    @property
    def cards(self) -> dict[str, Card]:
        """The role cards of the outermost swarm, by name."""
        return self.swarm.cards

    @property
    def topology(self) -> Part:
        """The topology of the outermost swarm."""
        return self.swarm.topology

    @property
    def memory(self) -> tuple[Part, ...]:
        """The memories of the outermost swarm, in order."""
        return self.swarm.memory

    def place(self, path: KeyPath, *, key: bool = False) -> str:
        """`file:line:column` of the value (or the key) at a path, or the option that set it."""
        return str(self.source.place(path, key=key))

    def question(self, inputs: Mapping[str, Scalar] | None = None) -> str:
        """The problem's text, `inputs` and the defaults of those left out filled in.

        Args:
            inputs: values of inputs that the task declares.

        Raises:
            SpecError: an input is unknown, or the problem is a data set or an environment.
        """
        declared, problem = self.task.inputs, self.task.problem
        for name in inputs or {}:
            if name not in declared:
                raise SpecError(f"unknown input {show(name)}{near(name, list(declared)) or '; the task declares none'}")
        if not isinstance(problem, str):
            raise self.error(("problem",), "is a data set or an environment, not a text")
        if not declared:
            return problem
        return template(problem, self.source.place(("problem",))).render({**declared, **(inputs or {})})

    def error(self, path: KeyPath, message: str, *, key: bool = False) -> SpecError:
        """An error about a value, for the floors that know more: `place: path: message`."""
        return self.source.error(path, message, key=key)


def load_task(
    path: str | os.PathLike[str],
    *,
    overrides: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    allow_code: bool = False,
    folder: Path | None = None,
    box: Path | None = None,
) -> LoadedTask:
    """Load a task file.

    Args:
        path: the file.
        overrides: `a.b.c=value`, applied in order (see `overrides`).
        env: where `${NAME}` comes from; `None` is the environment of the process.
        allow_code: whether a task may name Python code. Nothing is imported here in any case, so that a command
            that only lists `code` passes true.
        folder: what the task's paths are relative to, if not the file's folder (a task that a run stored).
        box: the library, if not the one that is shipped.

    Raises:
        SpecError: something is wrong; one line with the first place, and how many errors follow.
    """
    file = Path(path)
    environment = os.environ if env is None else env
    source = read_yaml(read_text(file), printable(file), environment)
    for text in overrides:
        override(source, text, environment)
    return _load(source, folder or file.parent, file, allow_code, box)


def load_task_data(
    data: Mapping[str, Any],
    folder: Path,
    *,
    overrides: Sequence[str] = (),
    allow_code: bool = False,
    box: Path | None = None,
) -> LoadedTask:
    """The same for a task given as plain data; `${NAME}` in it, and in overrides, is left as it is.

    Raises:
        SpecError: something is wrong, or the data holds more than `None`, bools, numbers, text, lists and mappings.
    """
    source = Source("task")
    source.data = _plain(data, source, ())
    for text in overrides:
        override(source, text)
    return _load(source, folder, None, allow_code, box)


def changed(
    loaded: LoadedTask, data: Mapping[str, Any], own: Mapping[str, Card], *, allow_code: bool = False
) -> LoadedTask:
    """The same task with other values; what is wrong with them is told at the places of those they replaced.

    Args:
        loaded: the task.
        data: all of its values.
        own: role cards by name that are not looked up, whatever files say.
        allow_code: whether the values may name Python code.

    Raises:
        SpecError: something is wrong.
    """
    source = Source(loaded.source.name, data)
    source.values, source.keys = loaded.source.values, loaded.source.keys
    return _load(source, loaded.folder, loaded.path, allow_code, None, own)


def _plain(value: Any, source: Source, path: KeyPath) -> Any:
    if len(path) > yaml12.MAX_DEPTH:
        raise source.error((), f"nested deeper than {yaml12.MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise source.error(path, f"a key must be text, got {show(key)}")
        return {key: _plain(inner, source, (*path, key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, source, (*path, index)) for index, inner in enumerate(value)]
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise source.error(path, f"must be plain data (text, number, list, mapping), got {type(value).__name__}")


def _load(
    source: Source,
    folder: Path,
    file: Path | None,
    allow_code: bool,
    box: Path | None,
    own: Mapping[str, Card] | None = None,
) -> LoadedTask:
    task = validated(source, Task, "a task has at least problem, model and swarm")
    finder = _Finder(task, source, folder, allow_code, box, own or {})
    swarm = finder.swarm(task.swarm, ("swarm",))
    finder.others()
    optimize = finder.optimize(task.optimize) if task.optimize else None
    raise_faults(finder.faults)
    for error in finder.errors:
        raise error
    assert swarm is not None  # what was not found is among the faults or errors
    return LoadedTask(task, folder, file, task_text(source.data), swarm, sorted(finder.code), source, optimize)


def task_text(data: Any) -> str:
    """YAML that loads to the same data, whatever the environment."""
    return yaml12.dump(_escaped(data))


def _escaped(data: Any) -> Any:
    if isinstance(data, str):
        return escape(data)
    if isinstance(data, dict):
        return {key: _escaped(value) for key, value in data.items()}
    return [_escaped(value) for value in data] if isinstance(data, list) else data


class _Finder:
    """Looks up what a valid task names, and gathers what is wrong instead of stopping at the first."""

    def __init__(
        self,
        task: Task,
        source: Source,
        folder: Path,
        allow_code: bool,
        box: Path | None,
        own: Mapping[str, Card],
    ) -> None:
        self._task, self._source, self._folder, self._allow_code, self._box = task, source, folder, allow_code, box
        self._own = own
        self.faults: list[Fault] = []  # in the task
        self.errors: list[SpecError] = []  # in another file, or without a place
        self.code: set[str] = set()

    def swarm(self, swarm: Swarm, path: KeyPath) -> LoadedSwarm | None:
        found = self._cards(swarm, path)
        topology = self.part("topologies", swarm.topology, (*path, "topology"))
        memory = [self.part("memory", use, at) for use, at in self._memories(swarm, path)]
        inner: dict[int, LoadedSwarm] = {}
        for index, group in enumerate(swarm.groups):
            loaded = group.swarm and self.swarm(group.swarm, (*path, "agents", index, "swarm"))
            if loaded:
                inner[index] = loaded
        if topology is None:
            return None
        return LoadedSwarm(swarm, path, found, topology, tuple(part for part in memory if part), inner)

    def _memories(self, swarm: Swarm, path: KeyPath) -> Iterator[tuple[PartUse, KeyPath]]:
        for index, use in enumerate(swarm.memory):
            yield use, self._source.deepest((*path, "memory", index))

    def _cards(self, swarm: Swarm, path: KeyPath) -> dict[str, Card]:
        found: dict[str, Card] = {}
        ids: set[str] = set()
        in_list = isinstance(swarm.agents, list)
        for index, group in enumerate(swarm.groups):
            here: KeyPath = (*path, "agents", index if in_list else group.card)
            at: KeyPath = (*here, "card") if in_list else here
            card = found.get(group.card) or self._try(lambda name=group.card: self._card(name), at, key=not in_list)
            if (group.id or group.card) in ids:
                message = f"two groups are called {group.id or group.card!r}; give one of them another 'id'"
                self.faults.append(self._source.fault(here, message))
            ids.add(group.id or group.card)
            if card is None:
                continue
            found[group.card] = card
            self._model(group.model, self._source, (*here, "model"))
            self._model(card.model, card.source, ("model",))
            self.errors += card.body.missing({*cards.GIVEN, *card.parameters, *group.parameters})
        return found

    def _card(self, name: str) -> Card:
        return self._own[name] if name in self._own else load_card(name, self._folder, box=self._box)

    def part(self, kind: Any, use: PartUse, path: KeyPath) -> Part | None:
        at = self._source.deepest((*path, "use"))  # the text itself, if the task names the part by text alone
        part = self._try(lambda: load_part(kind, use, self._folder, self._allow_code, box=self._box), at)
        if part is None:
            return None
        if part.is_code:
            self.code.add(part.use)
        return part._replace(
            places={**part.places, **{name: self._source.place((*path, name)) for name in use.parameters}}
        )

    def others(self) -> None:
        """The problem, the scorer, the cache and the servers that would be started."""
        self._servers(self._task.model, ("model",))
        for name, spec in self._task.models.items():
            self._servers(spec, ("models", name))
        problem = self._task.problem
        if isinstance(problem, DatasetProblem):
            if problem.is_file:
                self._check(lambda: paths.existing_file(self._folder, problem.dataset), ("problem", "dataset"))
        elif isinstance(problem, EnvironmentProblem):
            self._code(problem.environment, ("problem", "environment"))
        elif self._task.inputs:
            self._problem_text(problem)
        if self._task.inputs and not isinstance(problem, str):
            message = "fill a problem that is text; this one is a data set or an environment"
            self.faults.append(self._source.fault(("inputs",), message, key=True))
        if self._task.score is not None:
            self._code(self._task.score.use, self._source.deepest(("score", "use")))
            judge = self._task.score.parameters.get("model")
            if self._task.score.judged and isinstance(judge, str):
                self._model(judge, self._source, ("score", "model"))
        cache = self._task.cache
        if isinstance(cache, str):
            self._check(lambda: paths.inside(self._folder, cache), ("cache",))

    def _servers(self, spec: ModelSpec, path: KeyPath) -> None:
        if not spec.manage:
            return
        at = (*path, "vllm" if spec.vllm else "name")
        self._check(lambda: serving.model_folder(spec.model, self._folder), self._source.deepest(at))
        for name in serving.risky(spec.flags, self._folder):
            self.code.add(f"vllm --{name}")
            if not self._allow_code:
                message = f"--{name} may run code or read files; pass --allow-code if you trust it"
                self.faults.append(self._source.fault((*path, "flags"), message))

    def optimize(self, optimize: Optimize) -> LoadedOptimize | None:
        """The study's cards, code, files and models."""
        path: KeyPath = ("optimize",)
        self._code(optimize.use, (*path, "use"))
        for name, examples in optimize.splits.items():
            if isinstance(examples, str):
                self._check(lambda file=examples: paths.existing_file(self._folder, file), (*path, name))
        self._model(optimize.model, self._source, (*path, "model"))
        found: list[Card] = []
        for role, card_name in (("critic", optimize.critic), ("editor", optimize.editor)):
            at = self._source.deepest((*path, role))
            card = self._try(lambda name=card_name: load_card(name, self._folder, box=self._box), at)
            if card is not None:
                found.append(card)
                self._model(card.model, card.source, ("model",))
                self.errors += card.body.missing({*cards.GIVEN, *card.parameters})
        return LoadedOptimize(*found) if len(found) == 2 else None

    def _problem_text(self, text: str) -> None:
        path: KeyPath = ("problem",)
        try:
            parsed = template(text, Place())
        except SpecError as error:
            self.faults.append(self._source.fault(path, str(error)))
            return
        for error in parsed.missing(self._task.inputs):
            self.faults.append(self._source.fault(path, f"{error} (from 'inputs')"))

    def _code(self, use: str, path: KeyPath) -> None:
        if not is_code(use):
            return
        self.code.add(use)
        self._check(lambda: check_code(use, self._folder, self._allow_code), path)

    def _model(self, name: str | None, source: Source, path: KeyPath) -> None:
        if name is None or name in self._task.models:
            return
        try:
            ModelSpec(name=name)
        except ValidationError:
            known = list(self._task.models)
            hint = near(name, known) if known else "; 'models' is empty"
            message = f"neither a name from 'models' nor provider/model: {show(name)}{hint}"
            if source is self._source:
                self.faults.append(source.fault(path, message))
            else:
                self.errors.append(source.error(path, message))

    def _check(self, action: Callable[[], object], path: KeyPath) -> None:
        try:
            action()
        except ValueError as error:
            self.faults.append(self._source.fault(path, str(error)))

    def _try(self, action: Callable[[], T], path: KeyPath, *, key: bool = False) -> T | None:
        try:
            return action()
        except SpecError as error:
            if error.file:
                self.errors.append(error)
            else:
                self.faults.append(self._source.fault(path, str(error), key=key))
            return None
