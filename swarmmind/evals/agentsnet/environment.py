"""AgentsNet as an `Environment`: messages between neighbors for some rounds, then everybody's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from swarmmind.effects import TEXT, Reply
from swarmmind.errors import UserError, near
from swarmmind.evals.agentsnet import prompt
from swarmmind.evals.agentsnet.instances import Family, instance
from swarmmind.evals.agentsnet.problems import PROBLEMS, bits
from swarmmind.evals.agentsnet.prompt import Observation
from swarmmind.evals.agentsnet.reading import (
    compatible_answer,
    compatible_messages,
    strict_answer,
    strict_messages,
)
from swarmmind.evals.agentsnet.seat import Seat
from swarmmind.ports import Turn
from swarmmind.rng import Streams

_SHOWN_CHARACTERS = 120


class AgentsNet:
    """One of AgentsNet's problems on one of its graphs (arXiv 2507.08616; protocol and scores as in its code).

    Every agent is asked for messages R times and once more for its answer. What it writes reaches its neighbors in the
    next round; what it writes to others is dropped. A reply that cannot be read is asked for once more in the same
    conversation, after all replies of that round are in, and before anybody is told anything new; then the agent is
    silent, or without an answer. So a step is a round, or the second half of one.

    The score is 0 until all have answered.

    Args:
        problem: `coloring`, `vertex_cover`, `matching`, `leader_election`, `consensus` or `consensus-bits`.
        agents: how many; 4, 8 and 16 are the main benchmark, 20, 30, ..., 100 the scaling study.
        family: of graphs: `ws` (small worlds), `ba` (scale-free) or `dt` (Delaunay triangulations).
        index: which graph of that family and size; 0, 1 and 2 are the original's.
        rounds: R, if not by the original's rule (see `Problem.rounds`).
        mode: how replies are read: `compatible` with the original's traps, or `strict` (see `reading`).
        score: `solved` is 1 if everything is right and else 0; `soft` is the share that is right. Both are metrics.
        reasoning: whether agents are asked to think step by step.

    Raises:
        UserError: a value is unknown or out of range.
    """

    def __init__(
        self,
        problem: str,
        agents: int = 4,
        family: Family = "ws",
        index: int = 0,
        *,
        rounds: int | None = None,
        mode: Literal["compatible", "strict"] = "compatible",
        score: Literal["solved", "soft"] = "solved",
        reasoning: bool = True,
    ) -> None:
        if problem not in PROBLEMS:
            raise UserError(f"agentsnet: unknown problem {problem!r}{near(problem, list(PROBLEMS))}")
        if mode not in ("compatible", "strict"):
            raise UserError(f"agentsnet: mode must be 'compatible' or 'strict', got {mode!r}")
        if score not in ("solved", "soft"):
            raise UserError(f"agentsnet: score must be 'solved' or 'soft', got {score!r}")
        if rounds is not None and rounds < 1:
            raise UserError(f"agentsnet: rounds must be at least 1, got {rounds}")
        self._problem, self._kind = problem, PROBLEMS[problem]
        self.instance = instance(family, agents, index)
        self._graph = f"{family}_{agents}_{index}"
        self._last = rounds or self._kind.rounds(self.instance)
        self._strict, self._soft, self._reasoning = mode == "strict", score == "soft", reasoning
        names = self.instance.names
        self._near = {name: self.instance.names_near(node) for node, name in enumerate(names)}
        self._legal = {name: self._kind.legal(self.instance, node) for node, name in enumerate(names)}
        self.reset(0)

    @property
    def agents(self) -> Sequence[str]:
        """First names, in the order of the graph's nodes."""
        return self.instance.names

    @property
    def rounds(self) -> int:
        """How often everybody is asked, the final answer included; being asked again is not counted."""
        return self._last + 1

    @property
    def done(self) -> bool:
        """Whether the final answers are in."""
        return self._round > self._last

    @property
    def score(self) -> float:
        """In [0, 1]; see `score` above."""
        soft = self._rating()
        return soft if self._soft else float(soft == 1)

    def reset(self, seed: int) -> None:
        """Begin anew; the graph is the same for every seed, input bits are drawn by it."""
        names = self.instance.names
        drawn = bits(len(names), Streams(seed).rng(f"agentsnet/{self._graph}")) if self._kind.inputs else ()
        self.inputs = dict(zip(names, drawn, strict=False))
        self._round, self._again = 0, False
        self._delivered = self._characters = self._longest = 0
        self._outbox: dict[str, dict[str, str]] = {}
        self._sent: dict[str, dict[str, str]] = {}
        self.seats = {name: Seat() for name in names}
        self._now = {name: self._observation(name, {}) for name in names}
        for name, seen in self._now.items():
            groups, reasoning = self.instance.max_degree + 1, self._reasoning
            self.seats[name].told(prompt.rules(self._kind, seen, groups=groups, reasoning=reasoning))
        self._tell()

    def turns(self) -> dict[str, Turn]:
        """The whole conversation of each agent that is asked now: everybody, or those whose reply was unreadable."""
        return {name: Turn(tuple(self.seats[name].conversation), seen, TEXT) for name, seen in self._now.items()}

    def step(self, replies: Mapping[str, Reply | None]) -> None:
        """Read the replies of those who were asked; ask again where that may help, else deliver.

        Raises:
            UserError: a reply is for a name that is no agent here.
        """
        if not replies.keys() <= self.seats.keys():
            raise UserError(f"agentsnet: no agent {min(replies.keys() - self.seats.keys())!r}")
        if self.done:
            return
        unread = [name for name in self._now if not self._read(name, replies.get(name))]
        if unread and not self._again:
            self._again = True
            self._now = {name: self._observation(name) for name in unread}
        else:
            self._again = False
            self._round += 1
            self._sent, self._outbox = self._outbox, {}
            self._now = {} if self.done else self._deliver()
        self._tell()

    def frame(self) -> dict[str, Any]:
        """The state for people: rounds played, the score, what was said in the last round, the answers so far."""
        said = {
            name: "; ".join(f"to {to}: {text[:_SHOWN_CHARACTERS]}" for to, text in texts.items())[:_SHOWN_CHARACTERS]
            for name, texts in self._sent.items()
        }
        return {
            "problem": self._problem,
            "network": self._graph,
            "round": self._round,
            "score": self.score,
            "messages": said,
            "answers": {name: seat.answer for name, seat in self.seats.items() if seat.answer is not None},
        }

    def metrics(self) -> dict[str, float]:
        """Both scores, what could not be read (summed over agents), and what was delivered."""
        seats, soft = self.seats.values(), self._rating()
        return {
            "solved": float(soft == 1),
            "soft": soft,
            "fallbacks": float(sum(seat.fallbacks for seat in seats)),
            "failed_json": float(sum(seat.failed_json for seat in seats)),
            "failed_answers": float(sum(seat.failed_answers for seat in seats)),
            "unanswered": float(sum(seat.unanswered for seat in seats)),
            "messages": float(self._delivered),
            "characters": float(self._characters),
            "longest_message": float(self._longest),
        }

    def _rating(self) -> float:
        if not self.done:
            return 0.0
        answers = [seat.answer for seat in self.seats.values()]
        return self._kind.rating(self.instance, answers, tuple(self.inputs.values()))

    def _read(self, name: str, reply: Reply | None) -> bool:
        """Take a reply in; whether it, or that there is none, has to be taken as it is."""
        seat = self.seats[name]
        if reply is None or reply.failure is not None:
            seat.unanswered += 1
            return True
        text = reply.text or ""
        seat.said(text)
        read = self._answered(name, text) if self._round == self._last else self._written(name, text)
        if not read and not self._again:
            seat.fallbacks += 1
        elif not read and self._round == self._last:
            seat.failed_answers += 1
        elif not read:
            seat.failed_json += 1
        return read

    def _answered(self, name: str, text: str) -> bool:
        seat = self.seats[name]
        seat.answer = (strict_answer if self._strict else compatible_answer)(text, self._legal[name])
        return seat.answer is not None

    def _written(self, name: str, text: str) -> bool:
        read = (strict_messages if self._strict else compatible_messages)(text, self._near[name])
        if read is not None:
            self._outbox[name] = read
        return read is not None

    def _deliver(self) -> dict[str, Observation]:
        """What everybody sees after the neighbors' messages have come."""
        sent = self._sent
        seen: dict[str, Observation] = {}
        for name, near_by in self._near.items():
            inbox = {by: sent[by][name] for by in near_by if name in sent.get(by, ())}
            sizes = [len(text) for text in inbox.values()]
            self._delivered += len(sizes)
            self._characters += sum(sizes)
            self._longest = max(self._longest, *sizes, 0)
            seen[name] = self._observation(name, inbox)
        return seen

    def _observation(self, name: str, inbox: Mapping[str, str] | None = None) -> Observation:
        """What an agent sees now; without an inbox, because it is asked again."""
        near_by = self._near[name]
        silent = tuple(by for by in near_by if by not in inbox) if inbox is not None and self._round else ()
        return Observation(
            problem=self._problem,
            name=name,
            neighbors=near_by,
            agents=len(self._near),
            rounds=self._last,
            round=self._round,
            question=self._kind.question,
            answers=self._legal[name],
            inbox=inbox or {},
            silent=silent,
            input=self.inputs.get(name, ""),
            again=inbox is None,
        )

    def _tell(self) -> None:
        for name, seen in self._now.items():
            self.seats[name].told(prompt.request(seen, reasoning=self._reasoning))
