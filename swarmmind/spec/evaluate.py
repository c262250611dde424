"""What a task says of its evaluation: what is compared, on what it is tried, how often, and how that is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from swarmmind.spec.source import show
from swarmmind.spec.values import Name, Strict


def _checked(axes: dict[str, Any]) -> dict[str, Any]:
    for seed in flat(axes).get("seed", []):
        if type(seed) is not int:
            raise ValueError(f"seed: must hold whole numbers, got {show(seed)}")
    return axes


Control: TypeAlias = Literal["solo", "vote"]
Axes: TypeAlias = Annotated[dict[str, Any], AfterValidator(_checked)]
"""Paths of the task with the values that they take in turn: `{swarm.topology: [debate, vote]}`, or nested mappings
whose leaves are lists."""


def flat(axes: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The axes by their whole paths; one that is nothing (an override took it away) is none.

    Raises:
        ValueError: a leaf is no list, or holds nothing, or one value twice.
    """
    found: dict[str, list[Any]] = {}
    for path, values in _leaves(axes, ""):
        if values is None:
            continue
        if not isinstance(values, list):
            raise ValueError(f"{path}: must be a list of values, got {show(values)}")
        if not values:
            raise ValueError(f"{path}: must hold at least one value")
        for at, value in enumerate(values):
            if any(type(value) is type(other) and value == other for other in values[:at]):
                raise ValueError(f"{path}: holds {show(value)} twice")
        found[path] = values
    return found


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _controls(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _once(controls: list[Control]) -> list[Control]:
    if len(set(controls)) < len(controls):
        raise ValueError("holds a control twice")
    return controls


Controls: TypeAlias = Annotated[
    list[Control], AfterValidator(_once), BeforeValidator(_controls, json_schema_input_type=Control | list[Control])
]
"""What spends the tokens of each arm on something simpler."""


class Evaluate(Strict):
    """How `swarmmind eval` tries a task, and how it tells what came of it."""

    seeds: int | list[int] = Field(default=3, description="So many seeds from the task's own on, or these.")
    cases: Axes = Field(
        default={}, description="What all arms are tried on: {problem.environment: [a, b]}; combinations multiply."
    )
    columns: str | None = Field(default=None, description="The axis of `cases` (or `kind`) that makes the columns.")
    curve: str | None = Field(default=None, description="An axis with numbers, over which curves are drawn.")
    floors: dict[Name, dict[str, Any]] = Field(
        default={}, description="Rows of chance or silence: {random: {model: builtin/random}}."
    )
    baselines: dict[Name, dict[str, Any]] = Field(
        default={}, description="Rows of rules or exact methods: {rules: {model: builtin/swarmbench}}."
    )
    names: dict[str, str] = Field(
        default={}, description="Shorter names of rows, by those that they get from their values on the axes."
    )
    headline: Literal["mean", "sum"] = Field(default="mean", description="How the columns are put together.")
    units: dict[str, float] = Field(
        default={}, description="By what a column's scores are multiplied, e.g. 0.5 for the paper's units."
    )
    bounds: list[float] | None = Field(
        default=None, min_length=2, max_length=2, description="Between what the scores of a world lie."
    )
    also: list[str] = Field(default=[], description="Metrics shown beside the scores.")
    published: Name | None = Field(default=None, description="Published results that stand beside.")
    threshold: float | None = Field(
        default=None, description="The headline every arm must reach; else the exit code is 100."
    )
    only: dict[str, list[str]] = Field(
        default={}, description="Of an axis, the values that match one of these patterns: {problem.environment: [*/a]}."
    )
    limit: int | None = Field(default=None, ge=1, description="Play the first so many instances of each column only.")
    max_concurrent: int = Field(default=32, ge=1, description="Most episodes under way at once.")

    @field_validator("bounds")
    @classmethod
    def _rising(cls, bounds: list[float] | None) -> list[float] | None:
        if bounds is not None and bounds[0] >= bounds[1]:
            raise ValueError("must be the lower bound and then the upper one")
        return bounds

    @field_validator("seeds")
    @classmethod
    def _some(cls, seeds: int | list[int]) -> int | list[int]:
        if (isinstance(seeds, int) and seeds < 1) or seeds == []:
            raise ValueError("must be at least one seed")
        if isinstance(seeds, list) and len(set(seeds)) < len(seeds):
            raise ValueError("holds a seed twice")
        return seeds
