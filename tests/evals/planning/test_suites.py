"""The suites of the box: what they hold, and that an eval of them plays and measures it."""

from __future__ import annotations

from collections import Counter

import pytest

from swarmmind.runs.evals.plan import make_eval
from swarmmind.runs.evals.suites import load_suite


def test_the_suite_of_hanoi_has_the_papers_problems_and_ablations() -> None:
    manifest = make_eval(load_suite("planning")).manifest
    columns = {case.id: case.column for case in manifest.cases}
    assert Counter(columns[instance.case] for instance in manifest.instances) == {"3": 26, "4": 80}
    assert [arm.name for arm in manifest.arms] == [
        "full",
        "no monitor",
        "no tree",
        "no decomposer",
        "actor only",
        "exact",
        "random",
    ]


def test_the_suite_of_walks_has_a_column_for_each_task() -> None:
    manifest = make_eval(load_suite("planning-graph")).manifest
    columns = {case.id: case.column for case in manifest.cases}
    steps = {f"step-path-{count}": 20 for count in (2, 3, 4)}
    found = Counter(columns[instance.case] for instance in manifest.instances)
    assert found == {"value-path": 13, "detour": 13, "revaluation": 13, **steps}


@pytest.mark.parametrize("model", ["builtin/planner", "vllm/some/model"])
def test_the_modules_are_whichever_model_is_asked_for_and_the_baselines_stay(model: str) -> None:
    plan = make_eval(load_suite("planning", overrides=[f"model={model}"]))
    names = {arm.id: arm.name for arm in plan.manifest.arms}
    for place, play in plan.manifest.plays.items():
        arm = names[place.split()[0]]
        used = {"exact": "builtin/planner-exact", "random": "builtin/planner-random"}.get(arm, model)
        assert set(plan.crews[play].plan.specs) == {used}
