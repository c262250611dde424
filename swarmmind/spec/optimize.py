"""What a task says of its own improvement: who proposes, what may change, and on what it is tried."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator

from swarmmind.spec.cards import Card
from swarmmind.spec.model import SamplingSpec
from swarmmind.spec.source import show
from swarmmind.spec.values import Name, Open, Strict

WORDS = ("prompts", "workflow", "graph", "edges")
"""What `parameters` may hold besides paths and `prompts.<role>`."""

_FIXED = {
    "problem": "what is asked must be the same for all candidates",
    "score": "no candidate may change how it is judged",
    "model": "prices and endpoints are fixed for a study; give groups their models under 'swarm.agents'",
    "models": "prices and endpoints are fixed for a study; give groups their models under 'swarm.agents'",
    "embedder": "vectors must be the same for all candidates",
    "seed": "candidates are compared with equal chance",
    "budget": "it is the wall of the whole study",
    "prices": "what a call costs is no choice",
    "cache": "it may not change a result",
    "inputs": "what is asked must be the same for all candidates",
    "optimize": "a study does not change itself",
    "grid": "a study is about the task alone",
    "compare": "a study is about the task alone",
    "eval": "a study is about the task alone",
}


class PathParameter(Strict):
    """A value of the task that may change: a number with bounds, or one of several options."""

    path: str = Field(min_length=1, description="Where it stands in the task, e.g. swarm.topology.rounds.")
    low: float | None = Field(default=None, description="The smallest value of a number.")
    high: float | None = Field(default=None, description="The largest value of a number.")
    integer: bool = Field(default=False, description="Whether the number is whole.")
    scale: Literal["linear", "log"] = Field(
        default="linear", description="How a number is spread between its bounds; log for rates."
    )
    options: list[Any] | None = Field(default=None, min_length=2, description="The values that there are to choose.")

    @property
    def steps(self) -> list[str]:
        """The path's keys and indices."""
        return self.path.split(".")

    @field_validator("path")
    @classmethod
    def _may_change(cls, path: str) -> str:
        head, *rest = path.split(".")
        if head in _FIXED:
            raise ValueError(f"{head!r} may not change: {_FIXED[head]}")
        if head not in ("swarm", "sampling") or not rest or not all(rest):
            raise ValueError(f"must lead below 'swarm' or 'sampling', e.g. swarm.topology.rounds, got {show(path)}")
        return path

    @model_validator(mode="after")
    def _one_kind(self) -> PathParameter:
        if self.options is not None:
            if self.low is not None or self.high is not None or self.integer or self.scale != "linear":
                raise ValueError("has either 'options', or 'low' and 'high'")
            for at, option in enumerate(self.options):
                if any(type(option) is type(other) and option == other for other in self.options[:at]):
                    raise ValueError(f"'options' must be distinct, got {show(option)} twice")
        elif self.low is None or self.high is None:
            raise ValueError("needs 'low' and 'high' for a number, or 'options'")
        elif not self.low < self.high:
            raise ValueError(f"'low' must be less than 'high', got {self.low:g} and {self.high:g}")
        elif self.scale == "log" and self.low <= 0:
            raise ValueError(f"'low' must be more than 0 on the scale 'log', got {self.low:g}")
        elif self.integer and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError("'low' and 'high' of a whole number must be whole")
        return self


def _what(value: Any) -> Any:
    if isinstance(value, str):
        if value not in WORDS and not (value.startswith("prompts.") and len(value) > len("prompts.")):
            raise ValueError(f"must be {', '.join(WORDS)}, prompts.<role>, or a mapping with 'path', got {show(value)}")
    elif not isinstance(value, (dict, PathParameter)):
        raise ValueError(f"must be {', '.join(WORDS)}, prompts.<role>, or a mapping with 'path', got {show(value)}")
    return value


def _examples(value: Any) -> Any:
    if isinstance(value, str) and not value.endswith(".jsonl"):
        raise ValueError(f"must be a number, or a .jsonl file in the task's folder, got {show(value)}")
    return value


_Number: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]
Examples: TypeAlias = Annotated[_Number | str, BeforeValidator(_examples, json_schema_input_type=_Number | str)]
"""So many rows of the data set (or worlds), or a file of their own."""

ParameterUse: TypeAlias = Annotated[
    str | PathParameter, BeforeValidator(_what, json_schema_input_type=str | PathParameter)
]


class Optimize(BaseModel):
    """How a task is improved; further keys are the optimizer's own parameters."""

    model_config = Open.model_config

    use: str = Field(min_length=1, description="An optimizer's name, package.module:Name, or ./file.py:Name.")
    parameters: list[ParameterUse] = Field(
        min_length=1,
        description="What may change: prompts, prompts.<role>, workflow, graph, edges, or {path: ..., low, high}.",
    )
    train: Examples = Field(description="Examples to learn from: so many of the data set (or worlds), or a file.")
    validation: Examples = Field(
        default=0, alias="validate", description="Examples to choose by; critic and editor never see them."
    )
    test: Examples = Field(default=0, description="Examples that are scored once, at the end: start and winner.")
    model: str | None = Field(
        default=None, min_length=1, description="The model of critic and editor: from `models`, or provider/model."
    )
    sampling: SamplingSpec = Field(
        default=SamplingSpec(), description="Sampling of critic and editor; overrides their cards'."
    )
    critic: Name = Field(default="reviewer", description="The role card of whoever finds faults.")
    editor: Name = Field(default="editor", description="The role card of whoever proposes changes.")
    max_examples: int | None = Field(default=None, ge=1, description="A wall: candidates times examples that are run.")
    patience: int | None = Field(
        default=None, ge=1, description="So many candidates in a row without a new best one end the study."
    )
    target: float | None = Field(default=None, description="A best candidate with this mean score ends the study.")

    @property
    def settings(self) -> dict[str, Any]:
        """The further keys."""
        return dict(self.model_extra or {})

    @property
    def splits(self) -> dict[str, int | str]:
        """The three sets of examples, by the name of their key."""
        return {"train": self.train, "validate": self.validation, "test": self.test}

    @field_validator("train")
    @classmethod
    def _not_empty(cls, train: int | str) -> int | str:
        if train == 0:
            raise ValueError("must be at least 1, got 0")
        return train


class LoadedOptimize(NamedTuple):
    """The role cards of a study's own agents.

    Attributes:
        critic: finds faults.
        editor: proposes changes.
    """

    critic: Card
    editor: Card
