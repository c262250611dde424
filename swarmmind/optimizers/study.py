"""The nouns of a study: what an optimizer is given, what it may ask for, and what it gets.

An optimizer is a generator like any other. It yields lists and is sent results in the same order:

    [before] = yield [Evaluate(best, study.train, batch)]       # an Evaluation: scores, and cases that may be quoted
    [reply] = yield [edit(study, "worker", best, critiques)]    # an Ask like any other (see `requests`)
    yield [Keep(child, after)]                                  # this is the best so far

It knows nothing of money, files, concurrency or time; `conduct` drives it. Splits are capabilities: an optimizer holds
those for training and validation, gets cases from the first alone, and never sees the one for the final test.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias

import msgspec

from swarmmind.effects import Agent, Outcome, Program, Usage
from swarmmind.optimizers.candidate import Candidate, Values
from swarmmind.optimizers.parameters import Parameter, Problems
from swarmmind.ports import Context


class Split:
    """The right to have candidates scored on some examples. Whoever does not hold the very object has it not.

    Args:
        name: `train`, `validate` or `test`.
        ids: of its examples, distinct, over all splits of a study.
        quotable: whether evaluations on it come with cases.
    """

    __slots__ = ("ids", "name", "quotable")

    name: str
    ids: tuple[str, ...]
    quotable: bool

    def __init__(self, name: str, ids: Sequence[str], *, quotable: bool = False) -> None:
        for field, value in (("name", name), ("ids", tuple(ids)), ("quotable", quotable)):
            object.__setattr__(self, field, value)

    def __setattr__(self, name: str, value: object) -> None:
        """A right is what it was given as.

        Raises:
            AttributeError: always.
        """
        raise AttributeError(f"a split never changes: {name}")

    def batches(self, size: int, rng: random.Random) -> Iterator[tuple[str, ...]]:
        """Batches without end, epoch by epoch: each id comes once before any comes again; the last may be smaller."""
        if size < 1 or not self.ids:
            raise ValueError("batches need at least one example each")
        while True:
            order = rng.sample(self.ids, len(self.ids))
            for at in range(0, len(order), size):
                yield tuple(order[at : at + size])

    def sample(self, size: int, rng: random.Random) -> tuple[str, ...]:
        """Distinct ids drawn at random, at most as many as there are."""
        return tuple(rng.sample(self.ids, min(size, len(self.ids))))


class Step(NamedTuple):
    """One answer of an agent, in a run on one example.

    Attributes:
        agent: its id.
        role: its role.
        prompt: what it was told beside its instructions.
        output: what it said; `None` if it failed.
        heard: which earlier steps of the case its prompt quotes, by their numbers from 0.
    """

    agent: str
    role: str
    prompt: str
    output: str | None
    heard: tuple[int, ...] = ()


class Scored(msgspec.Struct, frozen=True):
    """One example, run and scored.

    Attributes:
        score: higher is better; `None` is missing, not 0: a server failed, nobody is to blame. What is not finite is
            missing, too.
        output: what it came to.
        feedback: what the scorer says of it in words, if it does.
        steps: who said what, in an order in which everybody comes after whom it heard.
        measures: of its behavior (calls, agents, depth, ...): numbers by name, measured and never claimed.
        usage: what it cost.
        question: what was asked.
        target: what is right, if that is known.
        error: why the score is missing.
    """

    score: float | None
    output: Any = None
    feedback: str = ""
    steps: tuple[Step, ...] = ()
    measures: Mapping[str, float] = {}
    usage: Usage = Usage()
    question: str = ""
    target: Any = None
    error: str = ""


class Case(NamedTuple):
    """An example of the training split as it went; what critics and editors may be shown.

    Attributes:
        id: the example's.
        run: how it went.
    """

    id: str
    run: Scored


class Evaluate(NamedTuple):
    """Score a candidate on examples; the result is an `Evaluation`.

    Attributes:
        candidate: whom; it has no problems (`Study.problems`).
        split: the right to do so.
        ids: of examples of the split.
        rep: which measurement it is: equal ones are made once and remembered; another number measures afresh, with
            chance of its own, which all candidates share.
        needed: whether the study ends if not one score is there; otherwise an evaluation without any (its mean is not a
            number) is a result too, unless list after list comes to nothing (see `conduct.OUTAGES`).
    """

    candidate: Candidate
    split: Split
    ids: tuple[str, ...]
    rep: int = 0
    needed: bool = True


class Evaluation(NamedTuple):
    """How a candidate did.

    Attributes:
        candidate: who.
        split: the split's name.
        scores: by example, in the order asked; `None` is missing.
        measures: of its behavior, averaged over the examples.
        cases: how each example went, in the order asked; empty where they may not be quoted.
    """

    candidate: Candidate
    split: str
    scores: dict[str, float | None]
    measures: dict[str, float]
    cases: tuple[Case, ...] = ()

    @property
    def mean(self) -> float:
        """The mean of the scores there are; not a number if there are none (see `Evaluate.needed`)."""
        known = [score for score in self.scores.values() if score is not None]
        return sum(known) / len(known) if known else math.nan

    def failing(self, below: float = 1.0) -> list[Case]:
        """The cases with a score below this."""
        return [case for case in self.cases if case.run.score is not None and case.run.score < below]


class Keep(NamedTuple):
    """Say which candidate is the best so far: what the study comes to if it ends now. The result is `None`.

    Attributes:
        candidate: one that was evaluated.
        evaluation: what speaks for it.
    """

    candidate: Candidate
    evaluation: Evaluation


class Study(NamedTuple):
    """What an optimizer is given.

    Attributes:
        parameters: what may change.
        start: candidates to begin with, at least one, without problems.
        train: for learning: its cases may be quoted.
        validate: for choosing: scores only.
        critic: who finds faults.
        editor: who proposes changes.
        about: what the team is for, in words.
    """

    parameters: tuple[Parameter, ...]
    start: tuple[Candidate, ...]
    train: Split
    validate: Split
    critic: Agent
    editor: Agent
    about: str = ""

    def parameter(self, name: str) -> Parameter:
        """The parameter of this name.

        Raises:
            KeyError: there is none.
        """
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(name)

    def of(self, *kinds: str) -> list[Parameter]:
        """The parameters of these kinds, in order."""
        return [parameter for parameter in self.parameters if parameter.kind in kinds]

    def problems(self, values: Values) -> dict[str, Problems]:
        """What is wrong with values, by parameter; empty if they make a candidate."""
        known = {parameter.name for parameter in self.parameters}
        found = {name: ["is not a parameter of this study"] for name in values if name not in known}
        for parameter in self.parameters:
            missing = parameter.name not in values
            problems = ["is missing"] if missing else parameter.check(values[parameter.name])
            if problems:
                found[parameter.name] = problems
        return found


class Most(NamedTuple):
    """What an optimizer takes at most, before it is started.

    Attributes:
        examples: candidates times examples, none of them remembered.
        asks: of critic and editor.
    """

    examples: int
    asks: int = 0


Optimize: TypeAlias = Callable[..., Program]
"""`(ctx, study, **parameters)` to a generator as described above; it returns nothing that anybody reads."""


class Optimizer(NamedTuple):
    """An optimizer with its price.

    Attributes:
        program: see `Optimize`. May raise `UserError` for a study that it cannot work with, before its first yield.
        most: `(study, **parameters)` to what it takes at most.
        kinds: of parameters that it can change.
        asks: whether it needs critic or editor.
    """

    program: Optimize
    most: Callable[..., Most]
    kinds: frozenset[str]
    asks: bool = True


class Trial(msgspec.Struct, frozen=True):
    """Run a candidate on an example: an effect, for where that is done in another process. Its result is an `Outcome`
    whose value is a `Scored`. It is not journaled; what it asks is, below its key.

    Attributes:
        candidate: its id.
        values: its values.
        example: the example's id.
        rep: which measurement it is (see `Evaluate`).
    """

    result: ClassVar[Any] = Outcome

    free: ClassVar[bool] = True

    candidate: str
    values: dict[str, Any]
    example: str
    rep: int = 0

    def label(self) -> str:
        """The last element of its key."""
        return f"{self.candidate}.{self.example}.{self.rep}"

    @property
    def chance(self) -> str:
        """What its random streams are named after: all candidates share them."""
        return f"example/{self.example}/{self.rep}"


class Evaluator(Protocol):
    """Scores candidates on examples; the only one who knows what the examples are."""

    def __call__(
        self, candidate: Candidate, example: str, rep: int, /
    ) -> Scored | Trial | Callable[[Context], Program]:
        """The score, or a program that returns it as a `Scored` (never raising `Failed`: that is a missing score); or
        the `Trial` that has such a program run elsewhere.

        Candidates are scored with common random numbers: the program's chance depends on example and rep alone.
        """
        ...

    def calls(self, candidate: Candidate, /) -> int | None:
        """How many model calls a run of one example makes without failures; `None` if nobody knows."""
        ...
