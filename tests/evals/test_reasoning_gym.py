"""reasoning-gym's generators as data sets: deterministic, scored by their own verifiers, which never run an answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from swarmmind.errors import SpecError, UserError
from swarmmind.evals.datasets import Dataset, Item, factory
from swarmmind.evals.reasoning_gym import ASK, GUARDS, HASHED, NEEDED, dataset, generators, readings
from swarmmind.evals.scoring import Answer, Mark, Scoring
from swarmmind.runs.plan import make_plan
from swarmmind.spec import load_task

UNSURE = {"boxnet", "rush_hour"}
"""Generators that tell no right answer."""


@pytest.fixture(autouse=True)
def _fixed_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "0")  # this process has its own; what is checked here is made in it alone


def graded(scoring: Scoring, item: Item, output: Any) -> float | None:
    assert scoring.grade is not None
    program = scoring.grade(None, Answer(item.text, output, item.target))  # pyright: ignore[reportArgumentType]
    try:
        while True:
            program.send(None)
    except StopIteration as done:
        mark: Mark = done.value
        return mark.score


def made(name: str, **parameters: Any) -> tuple[Dataset, Scoring]:
    found = factory(f"reasoning-gym/{name}")(**parameters)
    assert found.scoring is not None
    return found, found.scoring


HOSTILE = (
    "__import__('pathlib').Path({path!r}).touch()",
    "[__import__('pathlib').Path({path!r}).touch()]",
    "open({path!r}, 'w') + 0",
    "(open({path!r}, 'w'))!",
)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # arc_agi leaves a file open
@pytest.mark.parametrize("name", generators())
def test_a_generator_makes_the_same_again_scores_its_own_answers_one_and_runs_none(name: str, tmp_path: Path) -> None:
    size = 1 if name == "knight_swap" else 3
    data, scoring = made(name, size=size, seed=1)
    assert dataset(name, size=size, seed=1).items == data.items
    for item in data.items:
        assert item.text.endswith(ASK)
        if name in UNSURE:
            assert item.target is None
            continue
        assert graded(scoring, item, item.target) == 1.0
        assert graded(scoring, item, f"Let me think.\n<answer>{item.target}</answer>") == 1.0
        assert scoring.score(item.target, item.target) == 1.0
        for junk in ("", "junk", "<answer></answer>", "[]", "9" * 50, "\u0000", "x" * 30_000):
            score = graded(scoring, item, junk)
            assert score is not None
            assert 0.0 <= score < 0.5
    path = tmp_path / "touched"
    for text in HOSTILE:
        graded(scoring, data.items[0], text.format(path=str(path)))
        assert not path.exists()


@pytest.mark.parametrize("name", sorted(GUARDS))
def test_the_guarded_verifiers_would_run_it(name: str, tmp_path: Path) -> None:
    data = made(name, size=1, seed=1)[1].score.__self__.data  # pyright: ignore[reportFunctionMemberAccess]
    path = tmp_path / "touched"
    entry = data[0]
    for text in HOSTILE[:2]:
        try:
            data.score_answer(text.format(path=str(path)), entry)
        except TypeError:
            continue
    assert path.exists()


def test_a_name_of_the_verifiers_own_is_no_answer() -> None:
    data, scoring = made("string_insertion", size=1)
    assert graded(scoring, data.items[0], "oracle_answer") == 0.0
    assert graded(scoring, data.items[0], str(list(str(data.items[0].target)))) == 0.1  # its own rule for lists


def test_answers_are_judged_by_the_question_they_were_asked_with() -> None:
    data, scoring = made("tower_of_hanoi", size=6, seed=3, max_disks=3)
    first, other = data.items[0], next(item for item in data.items if item.target != data.items[0].target)
    assert graded(scoring, first, first.target) == 1.0
    wrong = graded(scoring, other, first.target)
    assert wrong is not None
    assert wrong < 1.0
    assert scoring.score("x", "a target of nobody") == 0.0


@pytest.mark.parametrize(
    ("output", "read"),
    [
        ("<answer>a</answer> or <answer> b\nc </answer>", ["b\nc"]),
        ("ANSWER: a\nb", ["a\nb"]),
        ("The answer is a.", ["a.", "a"]),
        (" a b ", ["a b"]),
        ("Between <answer> tags, as asked: <answer>4</answer>", ["4"]),
        ("<answer>3 or <ANSWER>4</ANSWER>", ["4"]),
        ("**Answer:** 4", ["4"]),
        ("**Answer**: 4", ["4"]),
    ],
)
def test_what_is_meant_as_the_answer_is_found(output: str, read: list[str]) -> None:
    assert readings(output) == read


def test_tags_without_an_end_take_no_time() -> None:
    text = "<answer>" * 40_000
    assert readings(text) == [text]


@pytest.mark.parametrize("name", NEEDED)
def test_wrong_answers_are_wrong_also_where_the_verifier_thinks_otherwise(name: str) -> None:
    data, scoring = made(name, size=6, seed=3)
    targets = {item.target for item in data.items}
    lures = {*targets, "0", "nan", "nan + 0i", "False", "zzz"}
    for item in data.items:
        assert graded(scoring, item, item.target) == 1.0
        marks = [graded(scoring, item, lure) for lure in lures - {item.target}]
        assert all(mark is not None and mark < 1.0 for mark in marks)


def test_no_number_takes_for_ever() -> None:
    data, scoring = made("coin_flip", size=1)
    assert graded(scoring, data.items[0], "1e99999999") == graded(scoring, data.items[0], "1/1e99999999") == 0.0


def test_a_verifier_that_prints_says_nothing_on_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    data, scoring = made("tower_of_hanoi", size=1, seed=3)
    assert graded(scoring, data.items[0], "Move disk 1 from Peg 9 to Peg 2") == 0.0
    assert "Peg 9" not in capfd.readouterr().out


WRONG = {
    "reasoning-gym/tower_of_hanoy": "1:10: problem: unknown generator 'tower_of_hanoy'; did you mean 'tower_of_hanoi'?",
    "reasoning-gym/zzz": "1:10: problem: unknown generator 'zzz'; 104 are known",
    "reasoning-gym/composite": "1:10: problem: unknown generator 'composite'; 104 are known",
    "reasoning-gym/": "1:20: problem.dataset: must be a .jsonl or .csv file, or one of the box, got 'reasoning-gym/'",
    "reasoning-gym/tower_of_hanoi, max_disk: 3": "1:60: problem.max_disk: max_disk: unknown parameter of "
    "'tower_of_hanoi'; did you mean 'max_disks' or",
    "reasoning-gym/tower_of_hanoi, max_disks: 1": "1:61: problem.max_disks: 'tower_of_hanoi' cannot be made so: "
    "max_disks must be >= min_disks",
    "reasoning-gym/tower_of_hanoi, size: 0": "1:56: problem.size: size must be between 1 and 100,000, got 0",
    "reasoning-gym/tower_of_hanoi, seed: a": "1:56: problem.seed: seed must be a whole number, got 'a'",
}


@pytest.mark.parametrize("problem", WRONG)
def test_what_is_wrong_is_said_in_one_line_at_its_place(problem: str, tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(
        f"problem: {{dataset: {problem}}}\nmodel: scripted\nswarm: {{agents: {{solver: 1}}, topology: solo}}\n"
    )
    with pytest.raises(SpecError) as caught:
        make_plan(load_task(path, env={}))
    assert str(caught.value).removeprefix(f"{path}:").startswith(WRONG[problem])
    assert len(str(caught.value).splitlines()) == 1


def test_lists_of_a_task_are_taken_for_tuples() -> None:
    assert made("simple_integration", size=2, symbols=["y"])[0].items[0].text.count("y")


@pytest.mark.parametrize("name", sorted(HASHED))
def test_what_differs_from_process_to_process_is_refused_unless_it_is_held(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "random")
    if sys.flags.hash_randomization:
        with pytest.raises(UserError, match="set PYTHONHASHSEED=0 in the environment"):
            dataset(name, size=1)


CODE = """
from swarmmind.evals.reasoning_gym import HASHED, dataset, generators
for name in generators():
    if name not in HASHED:
        print(name, [(item.text, item.target) for item in dataset(name, size=8, seed=2).items])
"""


def test_every_other_generator_makes_the_same_in_every_process() -> None:
    def printed(seed: str) -> str:
        env = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run([sys.executable, "-c", CODE], env=env, capture_output=True, text=True, check=True).stdout

    assert printed("1") == printed("2")


def test_nothing_is_imported_before_it_is_used() -> None:
    code = "import sys, swarmmind.evals.reasoning_gym; print('reasoning_gym' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_without_the_package_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['reasoning_gym'] = None\n"
        "from swarmmind.evals.reasoning_gym import dataset\n"
        "from swarmmind.errors import MissingExtra\n"
        "try: dataset('sudoku')\nexcept MissingExtra as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == (
        "a data set of reasoning-gym needs an optional package: pip install 'swarmmind[reasoning-gym]'\n"
    )
