"""What all models of a task share: strictness, the types of its leaves, and distributions to draw from."""

from __future__ import annotations

import random
import re
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from swarmmind.spec.source import show

Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
Scalar: TypeAlias = str | int | float | bool
Kind: TypeAlias = Literal["choice", "uniform", "normal", "integers", "lognormal"]

_KINDS: tuple[Kind, ...] = ("choice", "uniform", "normal", "integers", "lognormal")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9}


class Strict(BaseModel):
    """A part of a task: unknown keys are errors, nothing is converted, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Open(BaseModel):
    """A part of a task whose further keys are parameters of the part it names."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    @property
    def parameters(self) -> dict[str, Any]:
        """The further keys."""
        return dict(self.model_extra or {})


class Distribution(Strict):
    """What a parameter is drawn from, once per agent: exactly one kind.

    `{choice: [a, b], weights: [1, 3]}` · `{uniform: [lo, hi]}` · `{normal: [mean, sd], clip: [lo, hi]}` ·
    `{integers: [lo, hi]}`, both ends included · `{lognormal: [mu, sigma]}`, mu and sigma of the logarithm.
    """

    choice: list[Any] | None = Field(default=None, min_length=1, description="One of these values.")
    weights: list[float] | None = Field(default=None, description="How likely each choice is, relative to the others.")
    uniform: list[float] | None = Field(default=None, description="A number between [lowest, highest].")
    normal: list[float] | None = Field(
        default=None, description="A number from a normal distribution [mean, deviation]."
    )
    clip: list[float] | None = Field(default=None, description="Move a normal draw into [lowest, highest].")
    integers: list[int] | None = Field(default=None, description="A whole number in [lowest, highest], both included.")
    lognormal: list[float] | None = Field(default=None, description="exp of a normal draw with [mean, deviation].")

    @property
    def kind(self) -> Kind:
        """Which kind it is."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    def draw(self, rng: random.Random) -> Any:
        """One draw; equal states of `rng` give equal draws."""
        if self.choice is not None:
            return rng.choices(self.choice, self.weights)[0]
        if self.uniform is not None:
            return rng.uniform(*self.uniform)
        if self.integers is not None:
            return rng.randint(*self.integers)
        if self.lognormal is not None:
            return rng.lognormvariate(*self.lognormal)
        drawn = rng.normalvariate(*cast("list[float]", self.normal))
        return drawn if self.clip is None else min(max(drawn, self.clip[0]), self.clip[1])

    @model_validator(mode="after")
    def _one_kind(self) -> Distribution:
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"must have exactly one of {', '.join(_KINDS)}, got {' and '.join(kinds) or 'none'}")
        if self.weights is not None:
            self._check_weights(self.weights)
        if self.clip is not None and self.normal is None:
            raise ValueError("'clip' goes with 'normal' only")
        for name in ("uniform", "integers", "clip", "normal", "lognormal"):
            _check_pair(name, getattr(self, name))
        return self

    def _check_weights(self, weights: list[float]) -> None:
        if self.choice is None or len(weights) != len(self.choice):
            raise ValueError("'weights' must have one number for each 'choice'")
        if min(weights) < 0 or not sum(weights) > 0:
            raise ValueError("'weights' must not be negative, and not all 0")


def _check_pair(name: str, pair: list[float] | None) -> None:
    if pair is None:
        return
    if len(pair) != 2:
        raise ValueError(f"{name!r} must be a list of two numbers, got {len(pair)} of them")
    if name in ("normal", "lognormal"):
        if pair[1] < 0:
            raise ValueError(f"the deviation of {name!r} must not be negative, got {pair[1]:g}")
    elif pair[0] > pair[1]:
        raise ValueError(f"{name!r} must have its lower end first, got {pair[0]:g} before {pair[1]:g}")


def _distribution(value: Any) -> Any:
    if isinstance(value, dict) and any(kind in value for kind in _KINDS):
        return Distribution.model_validate(value)
    return value


def _tokens(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,12})?)\s?([kKmMbBgG]?)", value)
    if match is None:
        raise ValueError(f"must be a whole number such as 500000, 500k or 2M, got {show(value)}")
    return round(float(match[1]) * _UNITS[match[2].lower()])


Parameter: TypeAlias = Annotated[Any, BeforeValidator(_distribution, json_schema_input_type=Distribution | Any)]
"""A fixed value, or a `Distribution` if it is a mapping with one of its kinds."""

TokenCount: TypeAlias = Annotated[
    int,
    Field(ge=1),
    BeforeValidator(
        _tokens, json_schema_input_type=int | Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?\s?[kKmMbBgG]?$")]
    ),
]
"""A whole number, or text such as `500k` or `2M`."""
