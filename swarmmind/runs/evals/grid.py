"""Rows and cases of an eval: the combinations of its axes, as changes of the task."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from hashlib import blake2b, file_digest
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from swarmmind.errors import SpecError, UserError, near
from swarmmind.evals.record import Kind
from swarmmind.runs.studies.draft import Draft
from swarmmind.runs.teams import models_named
from swarmmind.spec import LoadedSwarm, LoadedTask, Task, changed
from swarmmind.spec.evaluate import flat
from swarmmind.spec.paths import existing_file

_ABOUT_CASES = ("problem", "score")
_NEVER = ("seed", "budget", "grid", "compare", "eval", "optimize", "name", "schema")


SAME_ANSWERS = ("limits", "attempts", "deadline_seconds", "transport", "api_key_env", "base_url")
"""Of a model: how it is reached. Nothing of it shapes an answer."""
_BESIDE = ("schema", "name", "description", "seed", "budget", "prices", "cache", "inputs")
"""Of a task: what no episode depends on, or what is part of its own name."""
_LONGEST_NAME = 200


class Variant(NamedTuple):
    """A row, or a case.

    Attributes:
        name: as people read it.
        kind: of a row.
        changes: what is put in the place of the task's values, by path.
        axes: of these, the values on axes.
    """

    name: str
    kind: Kind
    changes: dict[str, Any]
    axes: dict[str, Any]


def rows(loaded: LoadedTask) -> list[Variant]:
    """Arms, baselines and floors, in the order of the table; those that `eval.only` names alone.

    Raises:
        SpecError: a path may not change, two rows have one name, or `eval.only` leaves no arm.
    """
    task, told = loaded.task, loaded.task.evaluate
    axes = {path: values for path, values in _axes(loaded).items() if not _is_case(path, loaded)}
    found = [
        Variant(told.names.get(name := _name(changes, task), name), "arm", changes, changes)
        for changes in _combinations(axes)
        if _wanted(changes, told.only)
    ]
    if not found:
        raise loaded.error(("eval", "only"), "leaves no row of the table to play")
    others: tuple[tuple[Kind, str, dict[str, dict[str, Any]]], ...]
    others = (("baseline", "baselines", told.baselines), ("floor", "floors", told.floors))
    for kind, key, given in others:
        for name, changes in given.items():
            for path in changes:
                _check(loaded, path, ("eval", key, name, path))
            found.append(Variant(name, kind, changes, {}))
    names = [row.name for row in found]
    for name in names:
        if names.count(name) > 1:
            raise loaded.error(("eval",), f"two rows are called {name!r}; call the floor or baseline something else")
    return found


def _name(changes: Mapping[str, Any], task: Task) -> str:
    return " · ".join(map(shown, changes.values())) or task.model.name


def cases(loaded: LoadedTask) -> list[Variant]:
    """What the rows are tried on; those that `eval.only` names alone.

    Raises:
        SpecError: a path may not change, or `eval.only` leaves nothing.
    """
    told = loaded.task.evaluate
    axes = dict(flat(told.cases))
    for path in axes:
        _check(loaded, path, ("eval", "cases", path))
    axes |= {path: values for path, values in _axes(loaded).items() if _is_case(path, loaded)}
    known = [*axes, *(path for path in _axes(loaded) if path not in axes)]
    for path in told.only:
        if path not in known:
            raise loaded.error(("eval", "only", path), f"is no axis{near(path, known) or '; there are none'}")
    found = [changes for changes in _combinations(axes) if _wanted(changes, told.only)]
    if not found:
        raise loaded.error(("eval", "only"), "leaves nothing to try")
    return [Variant(" · ".join(map(shown, changes.values())), "arm", changes, changes) for changes in found]


def seeds(task: Task) -> list[int]:
    """The seeds with which each instance is played."""
    wanted = task.evaluate.seeds
    along = flat(task.grid).get("seed")
    if along is not None:
        return [int(seed) for seed in along]
    return list(range(task.seed, task.seed + wanted)) if isinstance(wanted, int) else list(wanted)


def variant(loaded: LoadedTask, changes: Mapping[str, Any], name: str, *, allow_code: bool) -> LoadedTask:
    """The task with changes.

    Raises:
        SpecError: it does not load with them.
    """
    draft = Draft.of(loaded)
    for key in _OWN:
        draft.data.pop(key, None)
    try:
        for path, value in changes.items():
            draft.put(path.split("."), value)
        return changed(loaded, draft.data, {}, allow_code=allow_code)
    except (UserError, ValueError) as error:
        if not changes:
            raise
        raise SpecError(f"{loaded.source.name}: {name or 'a row'}: {error}") from error


_OWN = ("grid", "compare", "eval", "optimize")


def digest(value: Any) -> str:
    """Eight letters that stand for plain data."""
    letters = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return blake2b(letters.encode(), digest_size=6).hexdigest()


def shown(value: Any) -> str:
    """A value on an axis as people read it: a mapping by what it uses, or its name."""
    if isinstance(value, dict):
        head = value.get("use") or value.get("name") or value.get("environment")
        rest = {key: inner for key, inner in value.items() if inner != head}
        told = ", ".join(f"{key}={shown(inner)}" for key, inner in rest.items())
        return f"{head or ''}({told})" if told else str(head)
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    return "true" if value is True else "false" if value is False else str(value)


def _axes(loaded: LoadedTask) -> dict[str, list[Any]]:
    found = flat(loaded.task.grid)
    for path in found:
        if path != "seed":
            _check(loaded, path, ("grid",))
    return {path: values for path, values in found.items() if path != "seed"}


def _is_case(path: str, loaded: LoadedTask) -> bool:
    """Whether an axis of `grid` makes cases: it is about the problem, and nobody says what the cases are."""
    return path.partition(".")[0] in _ABOUT_CASES and not loaded.task.evaluate.cases


def _check(loaded: LoadedTask, path: str, at: tuple[str, ...]) -> None:
    head = path.partition(".")[0]
    known = [field.alias or name for name, field in Task.model_fields.items()]
    if head in _NEVER:
        raise loaded.error(at, f"{path!r} is the same for the whole eval")
    if head not in known:
        raise loaded.error(at, f"{path!r} leads nowhere in a task{near(head, known)}")


def _combinations(axes: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def _wanted(changes: Mapping[str, Any], only: Mapping[str, list[str]]) -> bool:
    return all(
        any(fnmatchcase(shown(changes[path]), pattern) for pattern in patterns)
        for path, patterns in only.items()
        if path in changes
    )


def essence(loaded: LoadedTask) -> Any:
    """All of a task that shapes what its agents say and how it is scored, except which of a data set's rows are played.

    Of the user's own files it is what they hold, code included; what that code imports is not followed.
    """
    data = {key: value for key, value in loaded.source.data.items() if key not in _BESIDE}
    problem = data.get("problem")
    if isinstance(problem, dict) and "dataset" in problem:
        data["problem"] = {key: value for key, value in problem.items() if key != "limit"}
    for key in ("model", "embedder"):
        if isinstance(data.get(key), dict):
            data[key] = _plain(data[key])
    used = models_named(loaded)
    data["models"] = {name: _plain(model) for name, model in (data.get("models") or {}).items() if name in used}
    looked_up = _looked_up(loaded.swarm)
    named = set(_texts([{**data, "problem": _without_rows(problem)}, looked_up]))
    files = {text: held for text in sorted(named) if (held := _held(loaded.folder, text))}
    return [data, looked_up, files]


def _without_rows(problem: Any) -> Any:
    return {key: value for key, value in problem.items() if key != "dataset"} if isinstance(problem, dict) else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _held(folder: Path, text: str) -> str:
    """What a file of the folder holds, that a text names as `file` or `./file.py:Name`; empty if it names none."""
    name = text.rpartition(":")[0] if text.startswith("./") and ":" in text else text
    if "." not in name or len(name) > _LONGEST_NAME:
        return ""
    try:
        path = existing_file(folder, name)
        return _content(path, path.stat().st_mtime_ns, path.stat().st_size)
    except (OSError, ValueError):
        return ""


@lru_cache
def _content(path: Path, _modified_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return file_digest(file, "blake2b").hexdigest()


def _looked_up(swarm: LoadedSwarm) -> list[Any]:
    """What a swarm's names stand for."""
    cards = [
        [name, card.body.text, card.model, card.parameters, repr(card.sampling)] for name, card in swarm.cards.items()
    ]
    parts = [[part.use, part.parameters] for part in (swarm.topology, *swarm.memory)]
    return [cards, parts, [_looked_up(inner) for inner in swarm.inner.values()]]


def _plain(model: Any) -> Any:
    return {key: value for key, value in model.items() if key not in SAME_ANSWERS} if isinstance(model, dict) else model
