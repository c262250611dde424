"""What the steps of SwarmSys share: who takes part, how the work goes, and what is known by now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from swarmmind.agents.prompts import remembered
from swarmmind.effects import Agent, Ask, Message, Output, Record, Reply
from swarmmind.errors import Stop
from swarmmind.ports import Context
from swarmmind.topologies.recall import Steps
from swarmmind.topologies.society import Society
from swarmmind.topologies.swarmsys.events import Board, Event, Refusal
from swarmmind.topologies.swarmsys.history import History
from swarmmind.topologies.swarmsys.profiles import Profiles
from swarmmind.traces import Trace

LATEST = 20
"""So many closed events are told."""


class Pace(NamedTuple):
    """How the work goes; see `swarmsys` for each."""

    team: int
    debate_rounds: int
    quorum: int
    attempts: int
    batch: int | None
    explore_every: int


@dataclass(eq=False)
class State:
    """One run of SwarmSys.

    Attributes:
        explorers, workers, validators: at least one of each.
        names, place: ids of the workers, and the place of each among them.
        profiles: of the workers, in their order.
        number: of the round.
        closed: the latest closed events, oldest first.
        refusals: what each explorer is still to be told.
        missing: what validators missed when they were asked whether to end, quoted.
        endings: how often in a row there was nothing to do.
        records: facts that were not handed over yet.
    """

    ctx: Context
    society: Society
    pace: Pace
    board: Board
    profiles: Profiles
    history: History = field(default_factory=History)
    number: int = 0
    closed: list[Event] = field(default_factory=list)
    refusals: dict[str, list[Refusal]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    endings: int = 0
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.explorers = cast(self.society, "explorer")
        self.workers = cast(self.society, "worker")
        self.validators = cast(self.society, "validator")
        self.names = [worker.id for worker in self.workers]
        self.place = {name: at for at, name in enumerate(self.names)}

    @property
    def task(self) -> str:
        """The problem, as everybody is told it."""
        return self.society.question.text.strip()

    def metrics(self) -> dict[str, float]:
        """See `History.metrics`."""
        return self.history.metrics(list(self.board.events.values()), len(self.workers))

    def needed(self, event: Event) -> list[Event]:
        """The closed events whose results an event needs."""
        return [self.board.events[need] for need in event.depends_on]

    def ask(
        self,
        agent: Agent,
        text: str,
        output: Output,
        observation: Mapping[str, Any],
        shown: Sequence[Trace] = (),
    ) -> Ask:
        """Ask somebody: the task first, byte for byte what all are told, then what it remembers, then the text."""
        *turns, last = remembered(shown, Message("user", text))
        prompt = Message("user", f"{self.task}\n\n{last.content}")
        return Ask(agent, (*self.society.system(agent), *turns, prompt), output, observation=observation)

    def record(self, name: str, data: Mapping[str, Any]) -> None:
        """Keep a fact for people; it travels with the next step that is asked."""
        self.records.append(Record(name, data))

    def asked(self, asks: Sequence[Ask] = ()) -> Steps[list[Reply]]:
        """Ask all of these at once; their replies in the order asked.

        Raises:
            Failed: too few agents answered (see `Policy`).
            Stop: the budget is spent; its `results` are what the asks came to.
        """
        records, self.records = self.records, []
        try:
            replies = (yield [*records, *asks])[len(records) :]
        except Stop as stop:
            stop.results = stop.results[len(records) :]
            raise
        self._check(replies)
        return replies

    def _check(self, replies: Sequence[Reply]) -> None:
        """Under the policy `skip` a step may come to nothing."""
        if self.society.policy.kind != "skip" and replies:
            self.society.policy.check(replies)


def cast(society: Society, role: str) -> list[Agent]:
    """The agents of a role card."""
    return [agent for agent in society.agents if agent.role == role]


def ability(worker: Agent) -> str:
    """The text by which a worker is found before anything is known of it."""
    return str(worker.parameters.get("ability") or worker.instructions or worker.id)
