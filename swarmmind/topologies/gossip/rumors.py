"""The machinery of gossip: agents that answer, tell their neighbors, and wait for news, each at its own pace."""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import Any, NamedTuple

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Message, Reply, Sleep
from swarmmind.errors import Stop
from swarmmind.topologies.chats import Chats
from swarmmind.topologies.flow import Part, Signal, flow
from swarmmind.topologies.neighborhood import Neighborhood
from swarmmind.topologies.recall import Steps
from swarmmind.topologies.society import Society

_ADVICE = "These are your neighbors' latest answers. Check them, keep what is right, and answer once more."


class Pace(NamedTuple):
    """How often an agent speaks, and what it waits for (see `gossip`)."""

    turns: int
    share: float
    deadline_seconds: float | None


class Node:
    """One agent.

    Attributes:
        number: of its node.
        name: its id.
        neighbors: whom it tells, and hears.
        turns: how many it has taken.
        said: the last answer it gave; `None` if it gave none.
        answer: what was read in that.
        last: the last reply, which may be a failure.
        news: numbers of the neighbors who have answered since its last turn began.
        wait: set to whether it should go on or all is over; `None` while it thinks, and when it is done.
        overdue: whether it has waited so long that any news will do.
    """

    def __init__(self, number: int, name: str) -> None:
        self.number, self.name, self.turns = number, name, 0
        self.neighbors: list[Node] = []
        self.said: Reply | None = None
        self.last: Reply | None = None
        self.answer: Any = None
        self.news: set[int] = set()
        self.wait: Signal | None = None
        self.overdue = False

    def curious(self) -> bool:
        """Whether it waits, there is news, and not all that it has heard agrees with its own answer."""
        heard = [other.answer for other in self.neighbors if other.said is not None]
        return self.wait is not None and bool(self.news) and (self.answer is None or set(heard) != {self.answer})


class Rumors:
    """All agents of a society on a graph; `run` lets them talk until nobody has anything to say.

    Attributes:
        nodes: by number; what they came to can be read at any time.
    """

    def __init__(self, society: Society, net: Neighborhood, pace: Pace) -> None:
        self._society, self._pace, self._chats = society, pace, Chats(society, net.players)
        self.nodes = [Node(at, agent.id) for at, agent in enumerate(net.players)]
        for node, near in zip(self.nodes, net.neighbors, strict=True):
            node.neighbors = [self.nodes[u] for u in near]
        self._thinking = len(self.nodes)
        self._begun = {(node.number, turn): Signal() for node in self.nodes for turn in range(1, pace.turns)}

    def run(self) -> Steps[None]:
        """Let them talk.

        Raises:
            Failed: an agent failed under the policy `fail`; the memory's embedder or store failed.
            Stop: the budget is spent.
        """
        parts: dict[str, Part] = {f"node-{node.number}": self._talk(node) for node in self.nodes}
        if self._pace.deadline_seconds is not None:
            parts |= {f"timer-{at}-{turn}": self._time(at, turn) for at, turn in self._begun}
        talk, stopped = flow(parts), list[Stop]()
        go_on = partial(next, talk)
        while True:
            try:
                awaiting = go_on()
            except StopIteration:
                return
            if not self._thinking:  # nobody waits for the timers that still run
                talk.close()
                if stopped:
                    raise stopped[0]
                return
            try:
                go_on = partial(talk.send, (yield awaiting))
            except Stop as stop:
                stopped.append(stop)
                go_on = partial(talk.throw, stop)

    def _talk(self, node: Node) -> Part:
        question = self._society.question
        for turn in range(1, self._pace.turns + 1):
            heard = {other.name: other.said.text or "" for other in node.neighbors if other.said is not None}
            prompt = _revision(heard) if node.turns else question.prompt()
            node.news, node.overdue, node.turns = set(), False, turn
            seen = {"question": question.text, "do": "answer", "name": node.name, "turn": turn, "heard": heard}
            try:
                [node.last] = yield from self._chats.turn([node.number], [prompt], [question.output], [seen])
                self._tell(node, node.last)
            finally:
                self._thinking -= 1
            if turn == self._pace.turns:
                return self._rest()
            node.wait = wait = Signal()
            self._begun[node.number, turn].set(True)
            self._consider(node)
            self._rest()
            if not (yield wait):
                return None

    def _tell(self, node: Node, reply: Reply) -> None:
        if self._society.policy.kind == "fail":
            self._society.policy.check([reply])
        if not reply.ok:
            return
        node.said, node.answer = reply, self._society.question.answer(reply)
        for other in node.neighbors:
            other.news.add(node.number)
            self._consider(other)

    def _consider(self, node: Node) -> None:
        enough = len(node.news) >= ceil(self._pace.share * len(node.neighbors) - 1e-9)
        if (enough or node.overdue) and node.curious():
            self._wake(node)

    def _rest(self) -> None:
        """When nobody thinks any more, there will be no other news: what there is, is enough, or it is over."""
        for node in [] if self._thinking else self.nodes:
            if node.curious():
                self._wake(node)
        if not self._thinking:
            for signal in (*(node.wait for node in self.nodes), *self._begun.values()):
                if signal is not None and not signal.done:
                    signal.set(False)

    def _wake(self, node: Node) -> None:
        assert node.wait is not None
        wait, node.wait = node.wait, None
        self._thinking += 1
        wait.set(True)

    def _time(self, number: int, turn: int) -> Part:
        if not (yield self._begun[number, turn]):
            return
        assert self._pace.deadline_seconds is not None
        yield [Sleep(self._pace.deadline_seconds)]
        node = self.nodes[number]
        if node.turns == turn and node.wait is not None:
            node.overdue = True
            self._consider(node)


def _revision(heard: dict[str, str]) -> Message:
    block = [quoted(name, text) for name, text in heard.items()]
    return Message("user", "\n\n".join([*block, _ADVICE]))
