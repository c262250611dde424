from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

import swarmmind
from swarmmind.effects import Agent
from swarmmind.evals.reckoner import reckoner, solve

EXAMPLE = Path(__file__).parents[2] / "examples" / "peer-ranking" / "task.yaml"


def pupil(**parameters: float) -> Any:
    return reckoner(Agent("a", "solver", parameters=parameters))


def said(policy: Any, observation: Mapping[str, Any], times: int = 400) -> list[str]:
    rng = random.Random(1)
    return [policy(observation, rng) for _ in range(times)]


@pytest.mark.parametrize(
    ("question", "results"),
    [
        ("What is 7 + 3 * 5 - 4?", (18, 46)),
        ("What is 2 * 3 + 4 * 5?", (26, 50)),
        ("What is 9 - 2 * 3 * 2?", (-3, 42)),
        ("What is 10 - 4 - 3?", (3, 3)),
        ("What is love?", None),
        ("What is 7?", None),
    ],
)
def test_sums(question: str, results: tuple[int, int] | None) -> None:
    assert solve(question) == results


@pytest.mark.parametrize("accuracy", [0.0, 0.4, 1.0])
def test_it_answers_as_well_as_it_is_said_to(accuracy: float) -> None:
    found = said(pupil(accuracy=accuracy), {"question": "What is 7 + 3 * 5 - 4?", "do": "answer"})
    assert {text.split("ANSWER: ")[1] for text in found} <= {"18", "46"}
    assert fmean(text.endswith(" 18") for text in found) == pytest.approx(accuracy, abs=0.07)


@pytest.mark.parametrize("answers", [["ANSWER: 18", "ANSWER: 46"], ["ANSWER: 46", "ANSWER: 18"]])
@pytest.mark.parametrize("judgment", [0.0, 0.75, 1.0])
def test_it_judges_as_well_as_it_is_said_to(judgment: float, answers: list[str]) -> None:
    shown = {"question": "What is 7 + 3 * 5 - 4?", "do": "judge", "answers": answers}
    choices = [json.loads(text)["choice"] for text in said(pupil(judgment=judgment), shown)]
    right = "AB"[answers.index("ANSWER: 18")]
    assert fmean(choice == right for choice in choices) == pytest.approx(judgment, abs=0.07)


def test_between_equals_it_tosses_a_coin_and_what_is_no_sum_it_cannot_do() -> None:
    shown = {"question": "What is love?", "do": "judge", "answers": ["ANSWER: 1", "ANSWER: 2"]}
    assert fmean('"A"' in text for text in said(pupil(), shown)) == pytest.approx(0.5, abs=0.07)
    assert set(said(pupil(), {"question": "What is love?"})) == {"I can only do sums.\nANSWER: unknown"}


def test_the_example_shows_what_calibration_is_for(work: Path) -> None:
    scores: dict[str, float] = {}
    for rule in ("none", "agreement", "calibration"):
        result = swarmmind.run_sync(EXAMPLE, runs=work, env={}, overrides=[f"swarm.topology.reputation={rule}"])
        assert result.score is not None
        scores[rule] = result.score
    assert max(scores["none"], scores["agreement"]) < 0.3 < 0.8 < scores["calibration"]
