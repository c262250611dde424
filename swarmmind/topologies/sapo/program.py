"""Nodes that learn from each other's verified answers: the exchange of SAPO (arXiv 2509.08721) without its gradient.

What carries over to models that are not trained: every node publishes what it tried, receivers verify for themselves,
and the mix of own and external samples becomes a budget of the context. Exemplars stand where the paper's update stood.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from swarmmind.agents.prompts import cut, remembered
from swarmmind.effects import Ask, Message, Program, Record, Reply
from swarmmind.errors import Stop, UserError, near
from swarmmind.ports import Context
from swarmmind.topologies.recall import Steps, exchange, passed, recall, remember
from swarmmind.topologies.sapo.network import Delivery, Network, Rollout
from swarmmind.topologies.sapo.node import Mix, Node
from swarmmind.topologies.society import Society

_Count = Annotated[int, Field(ge=0)]
_Some = Annotated[int, Field(ge=1)]
_ON_TIME = Delivery()


def sapo(
    ctx: Context,
    society: Society,
    rounds: _Some = 20,
    tasks: _Some = 4,
    completions: _Some = 2,
    own: _Count = 4,
    external: _Count = 4,
    verify: Literal["all", "external", "none"] = "all",
    context_tokens: _Count = 2000,
    fresh_rounds: _Some = 20,
    delivery: Delivery = _ON_TIME,
    join: Mapping[str, int] | None = None,
) -> Program:
    """Work on a data set in rounds, each node with exemplars of its own and of the others' before it.

    Each agent is a node. In a round it draws problems, answers each of them several times behind the same block of
    exemplars, has its answers judged by code, keeps those that are right, and publishes all, each with its verdict.
    A node waits for nobody but the round: messages may come late, more than once, or before it joined.

    Args:
        ctx: the program's place.
        society: its data set is taken whole; its judge must be there. An agent whose parameters hold a `kind` draws
            only problems of that kind.
        rounds: at least 1.
        tasks: how many problems a node draws each round.
        completions: how often it answers each of them (the paper's L).
        own: exemplars of its own in its prompts, at most (the paper's I).
        external: exemplars by others, at most (the paper's J).
        verify: whose answers must be right to be shown. `all`; `external`: a node's own wrong ones are shown too, as
            such, as in the paper, where they are trained on; `none` is the ablation.
        context_tokens: all exemplars of a prompt together, at most about so many.
        fresh_rounds: rollouts older than this are forgotten.
        delivery: `{delay_rounds, copies}`: how late messages may come, and how often.
        join: by agent id, the round (from 0) in which it joins; 0 for all others.

    Returns:
        For each problem the latest answer that the judge found right (so a score says what the nodes could solve with
        it at hand), else the most frequent one, else `None`.

    Raises:
        UserError: there is no data set or no score, or `join` names no agent.
        Failed: too few agents answered (see `Policy`).
    """
    mix = Mix(own, external, verify, context_tokens, fresh_rounds)
    swarm = _Swarm(ctx, society, mix, delivery, _joins(society, join or {}))
    try:
        for number in range(rounds):
            swarm.open(number, tasks, completions)
            replies = yield from _asked(society, swarm.trials)
            swarm.close(replies)
            yield from _told(society, swarm.trials, replies)
            yield from passed(society.memory, number + 1)
            yield [Record("exchange", {"round": number + 1, **swarm.facts()})]
        yield [Record("metrics", swarm.metrics())]
    except Stop as stop:
        swarm.close(stop.results)
    return swarm.outputs()


def sapo_calls(
    society: Society,
    rounds: int = 20,
    tasks: int = 4,
    completions: int = 2,
    join: Mapping[str, int] | None = None,
    **_: Any,
) -> int:
    """Calls of a run in which every answer is readable at once."""
    joins = _joins(society, join or {})
    return sum(max(0, rounds - joined) for joined in joins.values()) * tasks * completions


class Trial(NamedTuple):
    """One answer to be: which node works on which problem, and the message it is asked with."""

    node: Node
    task: int
    prompt: Message


class _Counts(NamedTuple):
    """Answers judged and right by agent; messages sent, taken in for the first time, and refused by a receiver."""

    tried: Counter[str]
    solved: Counter[str]
    sent: int
    received: int
    dropped: int

    def since(self, before: _Counts) -> _Counts:
        """What came since then."""
        return _Counts(
            self.tried - before.tried,
            self.solved - before.solved,
            self.sent - before.sent,
            self.received - before.received,
            self.dropped - before.dropped,
        )

    def shown(self) -> dict[str, Any]:
        """As a record: success rates, of all and by agent, and the messages."""
        return {
            "success": self.solved.total() / max(self.tried.total(), 1),
            "by": {name: self.solved[name] / count for name, count in self.tried.items()},
            "sent": self.sent,
            "received": self.received,
            "dropped": self.dropped,
        }


class _Swarm:
    """All nodes with the network between them, the answers found so far, and what there is to count."""

    def __init__(self, ctx: Context, society: Society, mix: Mix, delivery: Delivery, joins: Mapping[str, int]) -> None:
        if not society.lessons:
            raise UserError("swarm.topology: 'sapo' works on a data set; give the task `problem: {dataset: ...}`")
        if society.judge is None:
            raise UserError("swarm.topology: 'sapo' verifies answers by code; give the task a `score`")
        self._ctx, self._society, self._judge = ctx, society, society.judge
        self._nodes = [Node(agent, society.lessons, joins[agent.id], mix) for agent in society.agents]
        self._network = Network(joins, delivery)
        self._right: dict[int, Any] = {}
        self._said: dict[int, dict[Hashable, list[Any]]] = defaultdict(dict)
        self._tried: Counter[str] = Counter()
        self._solved: Counter[str] = Counter()
        self._before = self._counts()
        self.trials: list[Trial] = []
        self.number = -1

    def open(self, number: int, tasks: int, completions: int) -> None:
        """Deliver the mail, and lay out what is asked in this round."""
        self.number, self.trials = number, []
        self._before = self._counts()
        for node in self._nodes:
            if node.joins > number:
                continue
            name = f"{node.agent.id}/{number}"
            node.receive(self._network.arrive(node.agent.id, number), number)
            drawn = node.draw(self._orders(node.agent.id), number, tasks)
            block = node.block(node.exemplars(self._ctx.rng(f"exemplars/{name}"), set(drawn), self._verified))
            for task in drawn:
                self.trials += [Trial(node, task, self._prompt(block, task))] * completions

    def close(self, results: Sequence[Any]) -> None:
        """Judge the answers, keep what is right, and publish; what was not answered is not tried."""
        made: dict[str, list[Rollout]] = defaultdict(list)
        for at, (trial, reply) in enumerate(zip(self.trials, results, strict=False)):
            if isinstance(reply, Reply) and reply.ok:
                rollout = self._judged(trial, reply, f"{self.number}/{at}")
                trial.node.made(rollout)
                made[rollout.author].append(rollout)
        for author, rollouts in made.items():
            self._network.publish(rollouts, self._ctx.rng(f"mail/{author}/{self.number}"))

    def facts(self) -> dict[str, Any]:
        """What happened in the round: success rates, and messages sent, taken in and refused."""
        return self._counts().since(self._before).shown()

    def metrics(self) -> dict[str, Any]:
        """The same over all rounds, with the share of the data set that was solved."""
        return {"solved": len(self._right) / len(self._society.lessons), **self._counts().shown()}

    def outputs(self) -> list[Any]:
        """An output per problem."""
        return [self._right.get(task, self._elected(task)) for task in range(len(self._society.lessons))]

    def _elected(self, task: int) -> Any:
        """The most frequent answer to a problem, as it was first said."""
        said = self._said.get(task, {})
        answers = [counted for answer, counted in said.items() if answer is not None] or list(said.values())
        return max(answers, key=lambda counted: counted[0])[1] if answers else None

    def _judged(self, trial: Trial, reply: Reply, name: str) -> Rollout:
        author, answer = trial.node.agent.id, reply.value
        answer = cut(answer) if isinstance(answer, str) else answer  # what is judged is what others will read
        right = self._verified(trial.task, answer)
        self._tried[author] += 1
        self._solved[author] += right
        counted = self._said[trial.task].setdefault(self._society.question.answer(reply), [0, answer])
        counted[0] += 1
        if right:
            self._right[trial.task] = answer
        return Rollout(name, trial.task, self._society.lessons[trial.task].kind, answer, right, author, self.number)

    def _orders(self, name: str) -> Callable[[int], random.Random]:
        return lambda turn: self._ctx.rng(f"tasks/{name}/{turn}")

    def _verified(self, task: int, answer: Any) -> bool:
        """Full marks; a half right answer is no exemplar."""
        return self._judge(answer, self._society.lessons[task].target) >= 1

    def _prompt(self, block: str, task: int) -> Message:
        prompt = self._society.question._replace(text=self._society.lessons[task].text).prompt()
        return Message("user", f"{block}\n\n{prompt.content}") if block else prompt

    def _counts(self) -> _Counts:
        received = sum(node.received for node in self._nodes)
        dropped = sum(node.dropped for node in self._nodes)
        return _Counts(self._tried.copy(), self._solved.copy(), self._network.sent, received, dropped)


def _asked(society: Society, trials: Sequence[Trial]) -> Steps[Sequence[Reply]]:
    agents = [trial.node.agent for trial in trials]
    texts = [society.lessons[trial.task].text for trial in trials]
    shown = yield from recall(society, agents, texts)
    told = zip(trials, agents, texts, shown, strict=True)
    replies = yield [
        Ask(
            agent,
            (*society.system(agent), *remembered(traces, trial.prompt)),
            society.question.output,
            observation={"question": text, "kind": society.lessons[trial.task].kind},
        )
        for trial, agent, text, traces in told
    ]
    society.policy.check(replies)
    return replies


def _told(society: Society, trials: Sequence[Trial], replies: Sequence[Reply]) -> Steps[None]:
    """What was said, without the exemplars before it, for whatever memory the swarm has."""
    turns: list[Any] = []
    for trial, reply in zip(trials, replies, strict=True):
        question = Message("user", society.lessons[trial.task].text)
        turns += exchange(trial.node.agent, question, reply, society.lessons[trial.task].kind)
    yield from remember(society, turns)


def _joins(society: Society, join: Mapping[str, int]) -> dict[str, int]:
    ids = [agent.id for agent in society.agents]
    for name in join:
        if name not in ids:
            raise UserError(f"sapo: join: no agent {name!r}{near(name, ids)}")
    return {name: join.get(name, 0) for name in ids}
