"""What every topology is given: who takes part, what is asked, and what a failure means."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from swarmmind.agents.answers import ASK_FOR_ANSWER, Reader, final_text
from swarmmind.effects import TEXT, Agent, Choice, Message, Output, Program, Reply
from swarmmind.errors import Failed
from swarmmind.ports import Environment, Memory


class Question(NamedTuple):
    """One problem.

    Attributes:
        text: what the agents are told.
        output: what they answer with.
        read: finds the answer in an output, in a form that equal answers share.
        marked: whether free text should end with a marked answer; not where the whole text is the answer.
    """

    text: str
    output: Output = TEXT
    read: Reader = final_text
    marked: bool = True

    @property
    def closing(self) -> str:
        """How an answer should end, as the last sentence of a prompt; empty if that is not for words to say."""
        return ASK_FOR_ANSWER if self.marked and self.output == TEXT else ""

    def prompt(self) -> Message:
        """The problem as a message; free text is asked to end with a marked answer."""
        return Message("user", f"{self.text}\n\n{self.closing}" if self.closing else self.text)

    def answer(self, reply: Reply) -> Hashable | None:
        """The answer in a reply; `None` if it failed or holds none."""
        if reply.failure is not None:
            return None
        return reply.value if isinstance(self.output, Choice) else self.read(reply.value)


class Lesson(NamedTuple):
    """One problem of a data set, for topologies that work on all of it and learn on the way.

    Attributes:
        text: what the agents are told.
        target: what is right, if that is known; never shown to an agent.
        kind: of which kind of problem it is, if the data set says.
    """

    text: str
    target: Any = None
    kind: str = ""


class Policy(msgspec.Struct, frozen=True):
    """What an agent's failure does to the step it happens in.

    Attributes:
        kind: `skip` goes on with those that answered; `fail` ends the program; `quorum` goes on if enough answered.
        share: of the agents asked, for `quorum`.
    """

    kind: Literal["skip", "fail", "quorum"] = "skip"
    share: float = 1.0

    def check(self, replies: Sequence[Reply]) -> None:
        """Decide over one step's replies.

        Raises:
            Failed: under `fail` any failure, under `quorum` too few answers, under `skip` none at all.
        """
        answered = sum(reply.failure is None for reply in replies)
        needed = {"skip": 1, "fail": len(replies), "quorum": math.ceil(self.share * len(replies) - 1e-9)}[self.kind]
        if answered < min(needed, len(replies)):
            first = next(reply.failure for reply in replies if reply.failure is not None)
            raise Failed(
                f"{answered} of {len(replies)} agents answered and the policy {self.kind!r} needs {needed}; "
                f"the first failure: {first.kind}: {first.message}"
            )


class Society(NamedTuple):
    """A population with its task.

    Attributes:
        agents: at least one, in the order of the task file.
        question: the problem, unless there is a world.
        environment: the world, if there is one.
        memory: what the agents remember.
        policy: what a failure does.
        seed: of the world.
        lessons: the data set, for topologies that take it whole; empty otherwise.
        judge: output and target to a score in [0, 1], if the task is scored.
    """

    agents: Sequence[Agent]
    memory: Memory
    question: Question = Question("")
    environment: Environment | None = None
    policy: Policy = Policy()
    seed: int = 0
    lessons: Sequence[Lesson] = ()
    judge: Callable[[Any, Any], float] | None = None

    def members(self, role: str) -> list[Agent]:
        """Those who have this role, in order; empty if nobody does."""
        return [agent for agent in self.agents if agent.role == role]

    def system(self, agent: Agent) -> tuple[Message, ...]:
        """The agent's instructions as the head of a prompt; equal roles share it byte for byte."""
        return (Message("system", agent.instructions),) if agent.instructions else ()


class Topology(NamedTuple):
    """A coordination with its price.

    Attributes:
        program: `(ctx, society, **parameters)` to the generator.
        calls: `(society, **parameters)` to the number of calls of a run without failures; `None` if nobody knows. May
            raise `UserError` for a society that the program cannot work with: it is called before anything runs.
        whole: whether it takes a data set whole (`society.lessons`) and returns an output per problem, rather than
            being run once per problem.
        memory: whether its agents use the swarm's memory; where they do not, a task that names one is refused.
        world: whether it plays an environment; of those in the box, the others are refused where a task has one.
    """

    program: Callable[..., Program]
    calls: Callable[..., int] | None = None
    whole: bool = False
    memory: bool = True
    world: bool = False
