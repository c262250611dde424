"""What was measured is given back as it was, and takes little room until then."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

from swarmmind.effects import Program
from swarmmind.optimizers.parameters import TextParameter
from swarmmind.optimizers.remembered import LATEST, Remembered
from swarmmind.optimizers.study import Evaluate, Scored, Step, Study
from swarmmind.ports import Context

from .hills import Function, conducted, study


def run(at: int) -> Scored:
    """Twenty answers."""
    words = " ".join(f"word {at * 7 % (number + 2)}" for number in range(200))
    steps = tuple(
        Step(f"worker-{number}", "worker", f"{at} {number} {words}", None if number else "half \ud83d", (0,)[:number])
        for number in range(20)
    )
    return Scored(at / 10, "output", steps=steps, measures={"calls": 20})


def test_earlier_runs_are_folded_and_read_as_they_were_written() -> None:
    known = Remembered(latest=2)
    for at in range(5):
        known["one", str(at), 0] = run(at)
    assert [known["one", str(at), 0] for at in range(5)] == [run(at) for at in range(5)]
    assert [bool(one.steps) for _, one in known.outcomes()] == [False, False, False, True, True]
    assert [known.score(("one", str(at), 0)) for at in range(5)] == [one.score for _, one in known.outcomes()]
    del known["one", "0", 0]
    assert ("one", "0", 0) not in known
    known["one", "0", 0] = run(9)
    known["one", "1", 0] = Scored(1.0)
    assert (known["one", "0", 0], known["one", "1", 0]) == (run(9), Scored(1.0))


def test_what_is_asked_for_again_comes_with_its_steps_and_a_long_study_takes_little_room(tmp_path: Path) -> None:
    def fresh(values: Any, example: str, rep: int) -> Scored:
        return run(int(values["rules"]))

    sizes: list[int] = []

    def search(ctx: Context, given: Study) -> Program:
        children = [given.start[0].child({"rules": str(at)}) for at in range(5 * LATEST // 10)]
        for at, child in enumerate(children):
            yield [Evaluate(child, given.train, given.train.ids)]
            if at % (LATEST // 10) == LATEST // 10 - 1:
                sizes.append(tracemalloc.get_traced_memory()[0])
        [again] = yield [Evaluate(children[0], given.train, given.train.ids)]
        assert [case.run for case in again.cases] == [run(0)] * 10

    tracemalloc.start()
    try:
        conducted(search, study((TextParameter("rules"),), {"rules": "start"}), Function(fresh), tmp_path / "j")
    finally:
        tracemalloc.stop()
    whole = sizes[0]
    assert sizes[-1] - sizes[0] < whole / 2
