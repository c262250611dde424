"""Distributions, token counts, sampling."""

from __future__ import annotations

import math
import random
from statistics import fmean, median
from typing import Any

import pytest
from pydantic import ValidationError

from swarmmind.effects import Sampling
from swarmmind.spec import Budget, Distribution, ModelSpec, SamplingSpec


def draws(spec: dict[str, Any], n: int = 4000) -> list[Any]:
    rng = random.Random(11)
    distribution = Distribution.model_validate(spec)
    return [distribution.draw(rng) for _ in range(n)]


def test_equal_states_give_equal_draws() -> None:
    for spec in ({"choice": ["a", "b"]}, {"uniform": [0, 1]}, {"normal": [0, 1]}, {"integers": [0, 9]}):
        assert draws(spec, 20) == draws(spec, 20)


def test_choice_follows_its_weights() -> None:
    drawn = draws({"choice": ["a", "b", "c"], "weights": [1, 3, 0]})
    assert set(drawn) == {"a", "b"}
    assert 0.72 < drawn.count("b") / len(drawn) < 0.78
    assert set(draws({"choice": [{"x": 1}, None]}, 50)[0] or {"x"}) == {"x"}


def test_ranges_hold_both_ends() -> None:
    assert set(draws({"integers": [2, 4]})) == {2, 3, 4}
    uniform = draws({"uniform": [-1, 3]})
    assert min(uniform) >= -1
    assert max(uniform) <= 3
    assert abs(fmean(uniform) - 1) < 0.1


def test_normal_and_lognormal() -> None:
    assert abs(fmean(draws({"normal": [5, 2]})) - 5) < 0.15
    clipped = draws({"normal": [0, 5], "clip": [-1, 1]})
    assert (min(clipped), max(clipped)) == (-1, 1)
    assert set(draws({"normal": [3, 0]}, 5)) == {3}
    assert abs(median(draws({"lognormal": [1, 0.5]})) - math.e) < 0.2


@pytest.mark.parametrize(
    "spec",
    [
        {}, {"choice": []}, {"uniform": [1]}, {"uniform": [1, math.inf]}, {"integers": [1.5, 2]}, {"normal": [0, -1]},
        {"clip": [0, 1], "uniform": [0, 1]}, {"weights": [1]}, {"choice": [1, 2], "weights": [0, 0]},
        {"choice": [1, 2], "weights": [-1, 2]}, {"choice": [1], "uniform": [0, 1]}, {"uniform": ["a", "b"]},
    ],
)  # fmt: skip
def test_what_is_no_distribution(spec: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Distribution.model_validate(spec)


@pytest.mark.parametrize(
    ("written", "tokens"), [(7, 7), ("7", 7), ("500k", 500_000), ("2M", 2_000_000), ("1.5 M", 1_500_000), ("1B", 10**9)]
)
def test_token_counts(written: Any, tokens: int) -> None:
    assert Budget.model_validate({"tokens": written}).limits().tokens == tokens


def test_time_adds_up_and_nothing_is_no_wall() -> None:
    assert Budget(minutes=1).limits().seconds == 60
    assert Budget(minutes=1, seconds=0.5).limits().seconds == 60.5
    assert Budget(calls=3).limits().seconds is None


def test_sampling_over_sampling() -> None:
    base = Sampling(temperature=0.7, top_p=0.9, max_tokens=10, stop=("x",))
    assert SamplingSpec().over(base) == base
    assert SamplingSpec(temperature=0, stop=[]).over(base) == Sampling(0, 0.9, 10, ())


@pytest.mark.parametrize(
    ("written", "provider", "model"),
    [
        ("vllm/Qwen/Qwen3-8B", "vllm", "Qwen/Qwen3-8B"),
        ("vllm:Qwen/Qwen3-8B", "vllm", "Qwen/Qwen3-8B"),
        ("openai/ft:gpt-4o:me", "openai", "ft:gpt-4o:me"),
        ("scripted", "scripted", ""),
        ("scripted/slow", "scripted", "slow"),
        ("builtin/random", "builtin", "random"),
    ],
)
def test_model_names(written: str, provider: str, model: str) -> None:
    spec = ModelSpec(name=written)
    assert (spec.provider, spec.model) == (provider, model)
    assert ModelSpec(name=spec.name) == spec
