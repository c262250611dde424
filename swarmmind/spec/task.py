"""The task file (design, section 6) as values: what a run is, before anything is looked up or run."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import regex
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, field_validator

from swarmmind.effects import Limits
from swarmmind.errors import SpecError
from swarmmind.spec.embedder import EmbedderField, EmbedderSpec
from swarmmind.spec.evaluate import Axes, Controls, Evaluate
from swarmmind.spec.model import ModelField, ModelSpec, SamplingSpec
from swarmmind.spec.optimize import Optimize
from swarmmind.spec.source import Place, show
from swarmmind.spec.templates import template
from swarmmind.spec.values import Name, Open, Parameter, Scalar, Strict, TokenCount

Count: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]


def is_template(field: str) -> bool:
    """Whether a field of `problem.fields` is a template over columns rather than a column's name."""
    return "{{" in field or "{%" in field


def _field(value: str) -> str:
    if is_template(value):
        try:
            template(value, Place())
        except SpecError as error:
            raise ValueError(str(error)) from error
    return value


def _pattern(value: str | None) -> str | None:
    if value is not None:
        try:
            groups = regex.compile(value).groups
        except regex.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if groups > 1:
            raise ValueError(f"must have one group, what is wanted, and no other, got {groups}")
    return value


ColumnField: TypeAlias = Annotated[str, Field(min_length=1), AfterValidator(_field)]
"""A column's name, or a template over columns: `{{ question }}` with `A) {{ A }}`. In a template, letters of a
column's name that no name has are `_`, and the elements of a list `options` are `options_1`, `options_2`, ..."""


class ProblemFields(Strict):
    """Which columns of a data set hold what: each is a column's name, or a template over columns."""

    problem: ColumnField = Field(default="problem", description="The problem's text: a column or a template.")
    target: ColumnField | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)] = Field(
        default="target", description="The target, if the task is scored; of a list of columns, a mapping."
    )
    kind: ColumnField = Field(default="kind", description="Of which kind a problem is.")
    extract: Annotated[str | None, AfterValidator(_pattern)] = Field(
        default=None, description="A regular expression with one group that finds the target in its column."
    )


class DatasetProblem(Open):
    """Problems from a file, or made by a program; further keys are that program's parameters."""

    dataset: str = Field(min_length=1, description="A .jsonl or .csv file in the folder, or a name from the box.")
    fields: ProblemFields = Field(default=ProblemFields(), description="Which columns hold what.")
    limit: int | None = Field(default=None, ge=1, description="Use the first so many problems only.")

    @property
    def is_file(self) -> bool:
        """Whether the data set is a file of the user's."""
        return self.dataset.endswith((".jsonl", ".csv"))

    @field_validator("dataset")
    @classmethod
    def _named(cls, dataset: str) -> str:
        if "." in dataset and not dataset.endswith((".jsonl", ".csv")):
            raise ValueError(f"must be a .jsonl or .csv file, or a name from the box, got {show(dataset)}")
        return dataset


class EnvironmentProblem(Open):
    """A world to act in; further keys are its parameters."""

    environment: str = Field(min_length=1, description="The environment's name, e.g. swarmbench/foraging.")


def _problem_kind(value: Any) -> str | None:
    if isinstance(value, str):
        return "<text>"
    if isinstance(value, DatasetProblem) or (isinstance(value, dict) and "dataset" in value):
        return "<dataset>"
    if isinstance(value, EnvironmentProblem) or (isinstance(value, dict) and "environment" in value):
        return "<environment>"
    return None


Problem: TypeAlias = Annotated[
    Annotated[Annotated[str, Field(min_length=1)], Tag("<text>")]
    | Annotated[DatasetProblem, Tag("<dataset>")]
    | Annotated[EnvironmentProblem, Tag("<environment>")],
    Discriminator(
        _problem_kind,
        custom_error_type="shape",
        custom_error_message="must be text, {dataset: file.jsonl} or {environment: name}",
    ),
]


class PartUse(Open):
    """A part of the library (or the user's own code) and its parameters."""

    use: str = Field(min_length=1, description="A part's name, package.module:Name, or ./file.py:Name.")


def _part(value: Any) -> Any:
    if isinstance(value, str):
        return {"use": value}
    if not isinstance(value, (dict, PartUse)):
        raise ValueError(f"must be a name, or a mapping with 'use', got {show(value)}")
    return value


PartField: TypeAlias = Annotated[PartUse, BeforeValidator(_part, json_schema_input_type=str | PartUse)]
"""A `PartUse`; a text stands for `{use: text}`."""


def _parts(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else [value]


class Group(Strict):
    """Agents that share a role card; each draws its own parameters."""

    card: Name = Field(description="The role card's name.")
    count: Count = Field(default=1, description="How many of them.")
    id: Name | None = Field(default=None, description="What their ids begin with; the card's name if left out.")
    model: str | None = Field(default=None, min_length=1, description="A name from `models`, or provider/model.")
    sampling: SamplingSpec = Field(default=SamplingSpec(), description="Overrides the task's sampling.")
    priority: int | None = Field(
        default=None, description="Who is served first where places at an endpoint are short; lower is earlier."
    )
    parameters: dict[Name, Parameter] = Field(
        default={}, description="Values, or distributions drawn from once per agent."
    )
    swarm: Swarm | None = Field(default=None, description="A whole swarm that answers for each agent of the group.")


class QuorumPolicy(Strict):
    """Go on when a share of the agents has answered."""

    quorum: float = Field(gt=0, le=1, description="The share that must have answered, e.g. 0.9.")


def _agents_kind(value: Any) -> str | None:
    return {dict: "<counts>", list: "<groups>"}.get(type(value))


def _failure_kind(value: Any) -> str | None:
    return "<quorum>" if isinstance(value, (dict, QuorumPolicy)) else "<word>" if isinstance(value, str) else None


Agents: TypeAlias = Annotated[
    Annotated[dict[Name, Count], Field(min_length=1), Tag("<counts>")]
    | Annotated[list[Group], Field(min_length=1), Tag("<groups>")],
    Discriminator(
        _agents_kind,
        custom_error_type="shape",
        custom_error_message="must be a mapping of role card to count, or a list of groups",
    ),
]
OnFailure: TypeAlias = Annotated[
    Annotated[Literal["fail", "skip"], Tag("<word>")] | Annotated[QuorumPolicy, Tag("<quorum>")],
    Discriminator(
        _failure_kind, custom_error_type="shape", custom_error_message="must be fail, skip or {quorum: share}"
    ),
]


class Swarm(Strict):
    """Who takes part, who hears whom, and what they remember."""

    agents: Agents = Field(description="Role cards with counts, or a list of groups with parameters.")
    topology: PartField = Field(description="Who hears whom and when.")
    memory: Annotated[
        list[PartField],
        BeforeValidator(_parts, json_schema_input_type=str | PartUse | list[str | PartUse]),
    ] = Field(default=[PartUse(use="none")], description="What is remembered: a part, or a list of parts.")
    on_failure: OnFailure = Field(
        default="skip", description="What an agent's failure does to the round it happens in."
    )

    @property
    def groups(self) -> tuple[Group, ...]:
        """`agents` as groups, in the order of the file."""
        if isinstance(self.agents, dict):
            return tuple(Group(card=card, count=count) for card, count in self.agents.items())
        return tuple(self.agents)

    @property
    def size(self) -> int:
        """How many agents there are."""
        return sum(group.count for group in self.groups)


Group.model_rebuild()
Swarm.model_rebuild()


class Score(Open):
    """How an output is judged; further keys are the scorer's parameters."""

    use: str = Field(min_length=1, description="The scorer's name, e.g. exact.")
    target: Any = Field(default=None, description="What is right; a data set brings its own.")

    @property
    def judged(self) -> bool:
        """Whether a model judges: the one that its parameter `model` names."""
        return self.use == "judge"


def _score(value: Any) -> Any:
    return value if isinstance(value, Score) else _part(value)


ScoreField: TypeAlias = Annotated[Score, BeforeValidator(_score, json_schema_input_type=str | Score)]
"""A `Score`; a text stands for `{use: text}`."""


class Budget(Strict):
    """Walls the run stops at; what is left out is no wall. `minutes` and `seconds` add up."""

    calls: int | None = Field(default=None, ge=1, description="Most model calls, failed ones included.")
    tokens: TokenCount | None = Field(
        default=None, description="Most tokens, read and written; 500k and 2M are numbers too."
    )
    usd: float | None = Field(default=None, gt=0, description="Most money, by the run's prices.")
    minutes: float | None = Field(default=None, gt=0, description="Longest time on the run's clock, in minutes.")
    seconds: float | None = Field(default=None, gt=0, description="Longest time on the run's clock, in seconds.")

    def limits(self) -> Limits:
        """The same as the runtime takes it."""
        timed = self.minutes is not None or self.seconds is not None
        seconds = (self.minutes or 0.0) * 60 + (self.seconds or 0.0) if timed else None
        return Limits(self.calls, self.tokens, self.usd, seconds)


class Price(Strict):
    """What a model costs, in USD per million tokens."""

    prompt_usd_per_million: float = Field(ge=0, description="Tokens read.")
    cached_usd_per_million: float | None = Field(
        default=None, ge=0, description="Tokens read from the cache; as read if left out."
    )
    completion_usd_per_million: float = Field(ge=0, description="Tokens written.")


class Task(Strict):
    """One run, described."""

    format: Literal["swarmmind/v1"] = Field(
        default="swarmmind/v1", alias="schema", description="The version of this format."
    )
    name: Name | None = Field(default=None, description="What the run is called.")
    description: str | None = Field(default=None, description="What it is for.")
    problem: Problem = Field(description="The problem: text, {dataset: file.jsonl} or {environment: name}.")
    inputs: dict[Name, Scalar] = Field(
        default={}, description="Values `problem` may refer to as {{ name }}, with defaults."
    )
    model: ModelField = Field(description="The model of every agent that names no other.")
    models: dict[Name, ModelField] = Field(
        default={}, description="Further models, by the name that groups and cards use."
    )
    embedder: EmbedderField = Field(
        default=EmbedderSpec(name="hashing"), description="What turns texts into vectors for memories that embed."
    )
    swarm: Swarm = Field(description="The population and how it works together.")
    score: ScoreField | None = Field(default=None, description="How the output is judged.")
    budget: Budget = Field(default=Budget(), description="Walls the run stops at.")
    prices: dict[str, Price] = Field(
        default={}, description="Prices by model name, for models the built-in table lacks."
    )
    seed: int = Field(default=0, description="The master seed: equal seeds and equal replies give equal runs.")
    cache: bool | Annotated[str, Field(min_length=1)] = Field(
        default=False, description="Reuse answers of earlier runs: true, or a file in the task's folder."
    )
    sampling: SamplingSpec = Field(
        SamplingSpec(), description="Sampling of every agent, unless card or group say otherwise."
    )
    optimize: Optimize | None = Field(default=None, description="How `swarmmind optimize` improves this task.")
    grid: Axes = Field(
        default={}, description="What is compared: {swarm.topology: [debate, vote]}; every combination is an arm."
    )
    compare: Controls = Field(
        default=[], description="What spends each arm's tokens: solo (one agent that goes on), vote (its samples)."
    )
    evaluate: Evaluate = Field(default=Evaluate(), alias="eval", description="How `swarmmind eval` tries this task.")

    def model_named(self, name: str | None) -> ModelSpec:
        """The model a group or card means: from `models`, else by provider/model, else the task's own.

        Raises:
            ValueError: it is neither; the message says what is known.
        """
        if name is None:
            return self.model
        return self.models[name] if name in self.models else ModelSpec(name=name)
