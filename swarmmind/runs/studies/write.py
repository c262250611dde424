"""The winner as ordinary parts: a folder with a task that runs, the role cards it needs, and a diff against the start.

    best/task.yaml  best/agents/worker.md  best/topologies/optimized.yaml  best/best.diff

The folder is there whole or not at all. Names of files are names of roles that were checked; no text that an agent
wrote becomes a path.
"""

from __future__ import annotations

import copy
import difflib
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from swarmmind.errors import UserError
from swarmmind.optimizers.candidate import Values
from swarmmind.runs.studies.plan import StudyPlan
from swarmmind.runs.studies.teams import Crew
from swarmmind.runs.teams import make_team
from swarmmind.spec import Card, LoadedSwarm, LoadedTask, load_task, paths
from swarmmind.spec.cards import card_text, with_body
from swarmmind.spec.load import task_text
from swarmmind.spec.source import read_text
from swarmmind.spec.yaml12 import dump

PARTS, DIFF, TASK = "best", "best.diff", "task.yaml"
_TOPOLOGY = "optimized"
_LONGEST_PATH = 1000


def write_parts(study: StudyPlan, values: Values, target: Path) -> None:
    """Write a candidate's parts into a folder, in place of what is there.

    Args:
        study: whose candidate.
        values: the candidate's.
        target: the folder.

    Raises:
        UserError: what was written does not load to the candidate's team.
        OSError: it cannot be written.
    """
    crew = study.teams.crew(values)
    draft = target.with_name(f".{target.name}-{secrets.token_hex(3)}")
    try:
        draft.mkdir(parents=True)
        _copy_needed(crew.loaded, draft)
        before, after = _texts(study.base.loaded, crew.loaded, is_workflow="workflow" in values)
        for name, text in after.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        (draft / DIFF).write_text(_diff(before, after), encoding="utf-8", newline="\n")
        _check(study, crew, draft)
        old = draft.with_name(f"{draft.name}-old")
        if target.exists():
            target.rename(old)
        draft.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _texts(base: LoadedTask, loaded: LoadedTask, *, is_workflow: bool) -> tuple[dict[str, str], dict[str, str]]:
    """What changed, by the name of its file, before and after; `task.yaml` is always among it."""
    before, after = dict[str, str](), dict[str, str]()
    data = copy.deepcopy(loaded.source.data)
    for name, card in loaded.cards.items():
        known = base.cards.get(name)
        if known is None or (known.body.text.strip(), known.description) != (card.body.text.strip(), card.description):
            before[f"agents/{name}.md"] = read_text(known.path).replace("\r\n", "\n") if known else ""
            after[f"agents/{name}.md"] = _card(card, known)
    if is_workflow:
        part = data["swarm"]["topology"]
        data["swarm"]["topology"] = _TOPOLOGY
        own = {key: value for key, value in part.items() if key != "use"}
        told = {
            "description": f"The workflow that the study of {base.task.name or 'this task'} found.",
            "use": "workflow",
        }
        before[f"topologies/{_TOPOLOGY}.yaml"] = ""
        after[f"topologies/{_TOPOLOGY}.yaml"] = dump({**told, **own})
    before[TASK], after[TASK] = base.text, task_text(data)
    return before, after


def _card(card: Card, known: Card | None) -> str:
    if known is not None and known.description == card.description:
        return with_body(known.path, card.body.text)
    front = {"name": card.name, **(card.source.data or {}), "description": card.description}
    return card_text(front, card.body.text)


def _diff(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    found: list[str] = []
    for name in sorted(after):
        old, new = before[name].splitlines(keepends=True), after[name].splitlines(keepends=True)
        found += difflib.unified_diff(old, new, f"start/{name}" if old else "/dev/null", f"best/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in found)


# --- what the task needs besides --------------------------------------------------------------------------------------


def _copy_needed(loaded: LoadedTask, draft: Path) -> None:
    """Copy what the task's folder holds of its own: parts, data, code."""
    folder = loaded.folder.resolve()
    for path in (*_parts(loaded), *_named(loaded)):
        whole = path.resolve()
        if whole.is_relative_to(folder) and path.is_file():
            target = draft / path.absolute().relative_to(loaded.folder.absolute())
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _parts(loaded: LoadedTask) -> Iterator[Path]:
    for swarm in _swarms(loaded.swarm):
        for part in (swarm.topology, *swarm.memory):
            if part.path is not None:
                yield part.path
        yield from (card.path for card in swarm.cards.values())
    if loaded.optimize is not None:
        yield from (card.path for card in loaded.optimize)


def _named(loaded: LoadedTask) -> Iterator[Path]:
    """Files that a value of the task, or of a part, names: data sets, graphs, code."""
    values: list[Any] = [loaded.source.data]
    for swarm in _swarms(loaded.swarm):
        values += [(part.use, part.parameters) for part in (swarm.topology, *swarm.memory)]
    for text in _words(values):
        for name in (text, text.rpartition(":")[0]):
            if 0 < len(name) <= _LONGEST_PATH:
                try:
                    yield paths.existing_file(loaded.folder, name)
                except ValueError:
                    continue


def _swarms(swarm: LoadedSwarm) -> Iterator[LoadedSwarm]:
    yield swarm
    for inner in swarm.inner.values():
        yield from _swarms(inner)


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in cast("dict[Any, Any]", value).values():
            yield from _words(inner)
    elif isinstance(value, (list, tuple)):
        for inner in cast("list[Any]", value):
            yield from _words(inner)


def _check(study: StudyPlan, crew: Crew, draft: Path) -> None:
    """What is read again must be the candidate.

    Raises:
        UserError: it is not.
    """
    loaded = load_task(draft / TASK, env={}, allow_code=study.teams.allow_code)
    team = make_team(loaded, loaded.swarm, study.base.streams, allow_code=study.teams.allow_code)
    if team.agents != crew.team.agents:
        raise UserError("what was written is not the team that won")
