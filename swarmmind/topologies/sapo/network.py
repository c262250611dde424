"""What nodes send each other: rollouts, some of them late, some of them more than once."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import Field

from swarmmind.spec.values import Strict


class Rollout(NamedTuple):
    """One answer to one problem, as it travels.

    Attributes:
        id: unique in the run; whoever gets it twice has it once.
        task: the problem's place in the data set.
        kind: the problem's kind.
        answer: what was said; a text is cut to what a prompt would quote.
        verdict: whether the judge found it right where it was made; a receiver need not believe it.
        author: the id of the agent that said it.
        round: in which it was made.
    """

    id: str
    task: int
    kind: str
    answer: Any
    verdict: bool
    author: str
    round: int


class Delivery(Strict):
    """How well the network delivers."""

    delay_rounds: int = Field(default=0, ge=0, description="Each copy comes up to so many rounds late, drawn evenly.")
    copies: int = Field(default=1, ge=1, description="How often each message is sent.")


class Network:
    """Carries rollouts from each node to all others; what is sent in one round arrives in the next at the earliest.

    Args:
        joins: of each node, the round from which it listens; what arrives earlier is never sent to it.
        delivery: delays and copies.

    Attributes:
        sent: copies sent so far.
    """

    def __init__(self, joins: Mapping[str, int], delivery: Delivery) -> None:
        self._joins, self._delivery = joins, delivery
        self._due: dict[tuple[str, int], list[Rollout]] = defaultdict(list)
        self.sent = 0

    def publish(self, rollouts: Sequence[Rollout], rng: random.Random) -> None:
        """Send one node's rollouts to everybody else."""
        for rollout in rollouts:
            for receiver, joins in self._joins.items():
                if receiver == rollout.author:
                    continue
                for _ in range(self._delivery.copies):
                    late = rng.randint(0, self._delivery.delay_rounds) if self._delivery.delay_rounds else 0
                    arrives = rollout.round + 1 + late
                    if arrives >= joins:
                        self._due[receiver, arrives].append(rollout)
                        self.sent += 1

    def arrive(self, receiver: str, number: int) -> Sequence[Rollout]:
        """What reaches a node at the beginning of round `number`; asked once a round."""
        return self._due.pop((receiver, number), ())
