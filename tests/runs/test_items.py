"""Data sets of tasks: files, and names of the box."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmmind.errors import SpecError
from swarmmind.runs.plan import Plan, make_plan
from swarmmind.spec import load_task


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path


def plan(folder: Path, problem: str, score: str = "") -> Plan:
    text = f"problem: {problem}\nmodel: scripted\nswarm: {{agents: {{solver: 1}}, topology: solo}}\n"
    path = folder / "task.yaml"
    path.write_text(text + (f"score: {score}\n" if score else ""))
    return make_plan(load_task(path, env={}))


def refused(folder: Path, problem: str, score: str = "") -> str:
    with pytest.raises(SpecError) as caught:
        plan(folder, problem, score)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message.removeprefix(f"{folder}/")


def test_a_data_set_of_the_box_is_made_with_its_parameters_cut_to_the_limit_and_scored_its_own_way(work: Path) -> None:
    made = plan(work, "{dataset: arithmetic, size: 30, seed: 4, limit: 3}")
    whole = plan(work, "{dataset: arithmetic, size: 9, seed: 4}")
    assert made.items == whole.items[:3]
    assert made.scoring is not None
    assert [made.scoring.score(f"The sum is {item.target}.", item.target) for item in made.items] == [1.0, 1.0, 1.0]
    assert made.items != plan(work, "{dataset: arithmetic, size: 3, seed: 5}").items


def test_a_score_of_the_task_goes_before_the_data_sets_own(work: Path) -> None:
    made = plan(work, "{dataset: arithmetic, size: 1}", "{use: number, tolerance: 1}")
    assert made.scoring is not None
    assert made.scoring.score(str(int(made.items[0].target) + 1), made.items[0].target) == 1.0


WRONG = {
    "{dataset: aritmetic}": "task.yaml:1:20: problem.dataset: must be a .jsonl or .csv file, or one of the box, "
    "got 'aritmetic'; did you mean 'arithmetic'?",
    "{dataset: arithmetic, sise: 3}": "task.yaml:1:38: problem.sise: unknown parameter; did you mean 'size'?",
    "{dataset: arithmetic, size: many}": "task.yaml:1:38: problem.size: must be a valid integer, got 'many'",
    "{dataset: arithmetic, size: 0}": "task.yaml:1:38: problem.size: size must be between 1 and 1,000,000, got 0",
    "{dataset: arithmetic, fields: {target: a}}": "task.yaml:1:40: problem.fields: says which columns of a file hold "
    "what; 'arithmetic' is no file",
}


@pytest.mark.parametrize("problem", WRONG)
def test_what_is_wrong_with_a_named_data_set_is_said_at_its_place(problem: str, work: Path) -> None:
    assert refused(work, problem) == WRONG[problem]


def test_a_misspelt_key_beside_a_file_is_named(work: Path) -> None:
    (work / "a.jsonl").write_text('{"problem": "a"}\n')
    message = "task.yaml:1:37: problem.limits: unknown key; did you mean 'limit'?"
    assert refused(work, "{dataset: a.jsonl, limits: 3}") == message
