"""A study in its folder: run, resumed, told, and its winner written."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
import msgspec

from swarmmind import report
from swarmmind.errors import UserError
from swarmmind.runs import folder as folders
from swarmmind.runs.execute import Manner, Watch, execute
from swarmmind.runs.job import Crowd
from swarmmind.runs.models import Models
from swarmmind.runs.plan import Plan
from swarmmind.runs.result import Result
from swarmmind.runs.studies.plan import StudyPlan
from swarmmind.runs.studies.price import StudyPrice, price_study, search_limits, set_aside
from swarmmind.runs.studies.program import root
from swarmmind.runs.studies.result import study_result
from swarmmind.runs.studies.trials import Elsewhere, trying
from swarmmind.runs.studies.write import PARTS, write_parts
from swarmmind.runtime.tables import DETOUR


async def prepared(study: StudyPlan, *, elsewhere: bool = False) -> tuple[Plan, StudyPrice]:
    """The run that a study is, its search limited so that the held-out test can be paid for, and its price.

    Args:
        study: what is tried.
        elsewhere: whether candidates are tried by workers in other processes.

    Raises:
        SpecError: the test alone would take the whole budget.
    """
    price = await price_study(study)
    evaluator = Elsewhere(study.evaluator) if elsewhere else study.evaluator
    return study.plan(root(study, evaluator, search_limits(study, price), set_aside(price))), price


async def run_study(
    study: StudyPlan, plan: Plan, folder: Path, models: Models, watch: Watch | None = None, crowd: Crowd | None = None
) -> Result:
    """Run a study in a folder, or go on with the one that it holds (see `runs.execute.execute`).

    Args:
        study: what is tried.
        plan: the same as a run.
        folder: where.
        models: what answers its agents; closed at its end.
        watch: called once when it begins.
        crowd: workers in other processes, if the study was `prepared` for them.
    """
    manner = Manner(partial(_told, study), partial(trying, study.evaluator, models), crowd=crowd)
    result = await execute(plan, folder, models, watch, manner)
    result = await anyio.to_thread.run_sync(_written, study, folder, result)
    folders.write_json(folder / folders.RESULT, result.to_dict())
    await anyio.to_thread.run_sync(report.render_study, folder)
    return result


def _told(study: StudyPlan, session: Any, *how: Any) -> Result:
    result = study_result(study, session, *how)
    if result.study is None or result.study.reason != "finished":  # a resume with other walls goes another way
        session.journal.note(DETOUR, True)
    return result


def _written(study: StudyPlan, folder: Path, result: Result) -> Result:
    told = result.study
    if told is None or told.best is None or not told.changed:
        return result
    try:
        write_parts(study, told.best.values, folder / PARTS)
    except (UserError, OSError, ValueError) as error:  # the last: a text that is no UTF-8
        warning = f"the winner's parts could not be written: {error}"
        return msgspec.structs.replace(result, warnings=[*result.warnings, warning])
    parts = msgspec.structs.replace(told, parts=str(folder / PARTS))
    return msgspec.structs.replace(result, study=parts)
