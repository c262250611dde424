"""How a planner finds its next move: proposals that withstand a check, a small tree of predictions, its best leaf."""

from __future__ import annotations

import random
from collections.abc import Sequence

from swarmmind.effects import Reply
from swarmmind.topologies.planner.crew import Crew
from swarmmind.topologies.planner.prompts import YES, Prompts, Refused
from swarmmind.topologies.planner.states import Node, Said, State
from swarmmind.topologies.recall import Steps


class _Draft:
    """The moves that are proposed from one state."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.kept: list[Said] = []
        self.refused: list[Refused] = []
        self.over = False

    def holds(self, move: Said) -> bool:
        return any(move.words == other.words for other in self.kept)


class Search:
    """The search of one plan.

    Args:
        crew: who is asked.
        prompts: in what words.
        breadth: moves kept from a state, at most.
        depth: moves looked ahead.
        tries: how often the actor is asked about a state, at most.
        rng: decides between equals.

    Attributes:
        proposed: moves that were proposed so far.
        refused: those that the monitor objected to.
    """

    def __init__(self, crew: Crew, prompts: Prompts, breadth: int, depth: int, tries: int, rng: random.Random) -> None:
        self._crew, self._prompts, self._tries, self._rng = crew, prompts, tries, rng
        self._tree = crew.has("predictor", "evaluator")
        self._breadth, self._depth = (breadth, depth) if self._tree else (1, 1)
        self.proposed = self.refused = 0

    def step(self, root: Node, aim: Said) -> Steps[Node | None]:
        """The child of `root` to go to, with all that was tried below it; `None` if no move was kept.

        Raises:
            Failed: too few agents of a step answered (see `Policy`).
            Stop: the budget is spent.
        """
        frontier = [root]
        root.children = root.children or None  # nothing was kept the last time: once more
        for _ in range(self._depth):
            yield from self._expand([node for node in frontier if node.children is None], aim)
            frontier = [child for node in frontier for child in node.children or ()]
            if any(node.state.meets(aim) for node in frontier):
                break  # it is judged by what is one level down, no deeper
        children = root.children or []
        if not self._tree or not children:
            return children[0] if children else None
        return (yield from self._best(children, aim))

    def _best(self, children: Sequence[Node], aim: Said) -> Steps[Node]:
        leaves = [leaf for child in children for leaf in child.leaves()]
        answers = yield from self._crew.ask("evaluator", [self._prompts.estimate(each.state, aim) for each in leaves])
        left = iter([reply.value["moves_left"] if reply.ok else float("inf") for _, reply in answers])
        values = [min(next(left) for _ in child.leaves()) for child in children]
        best = min(values)
        return self._rng.choice([child for child, value in zip(children, values, strict=True) if value == best])

    def _expand(self, nodes: Sequence[Node], aim: Said) -> Steps[None]:
        """Give each of these nodes its children, all at once."""
        drafts = yield from self._propose([node.state for node in nodes], aim)
        steps = [(draft.state, move) for draft in drafts for move in draft.kept]
        told = [self._prompts.predict(state, move) for state, move in steps]
        states = iter((yield from self._crew.texts("predictor", told, "state")))
        for node, draft in zip(nodes, drafts, strict=True):
            grown: list[Node] = []
            for move in draft.kept:
                said = next(states)  # what nobody predicts is what is known, and the move
                grown.append(Node(State(said) if said else node.state.after(move), move))
            node.grow(grown)

    def _propose(self, states: Sequence[State], aim: Said) -> Steps[list[_Draft]]:
        """Moves from each state; asked again, with the objections, as long as some are refused and more are wanted."""
        drafts = [_Draft(state) for state in states]
        for _ in range(self._tries):
            lacking = [draft for draft in drafts if not draft.over and len(draft.kept) < self._breadth]
            if not lacking:
                break
            told = [
                self._prompts.propose(each.state, aim, self._breadth - len(each.kept), each.refused) for each in lacking
            ]
            answers = yield from self._crew.ask("actor", told)
            fresh: list[tuple[_Draft, Said]] = []
            for draft, (agent, reply) in zip(lacking, answers, strict=True):
                draft.over = reply.ok
                named = {said.words: said for said in (Said(text, agent.id) for text in _moves(reply))}
                fresh += [(draft, move) for move in named.values() if move.words and not draft.holds(move)]
            yield from self._check(fresh)
        return drafts

    def _check(self, fresh: Sequence[tuple[_Draft, Said]]) -> Steps[None]:
        """Keep what the monitor does not object to; where it is silent, nothing is objected to."""
        told = [self._prompts.check(draft.state, move) for draft, move in fresh]
        answers = yield from self._crew.ask("monitor", told)
        self.proposed += len(fresh)
        for at, (draft, move) in enumerate(fresh):
            agent, reply = answers[at] if answers else (None, None)
            if agent and reply and reply.ok and not reply.value["possible"]:
                draft.refused.append(Refused(move, Said(reply.value["why"], agent.id)))
                draft.over = False
                self.refused += 1
            else:
                draft.kept.append(move)


def _moves(reply: Reply) -> list[str]:
    return reply.value["moves"] if reply.ok else []


def reached(crew: Crew, prompts: Prompts, state: State, aim: Said) -> Steps[bool]:
    """Whether a state meets the aim: it is described alike, or the coordinator says so.

    Raises:
        Failed, Stop: as in `Crew.ask`.
    """
    if state.meets(aim):
        return True
    answers = yield from crew.ask("coordinator", [prompts.compare(state, aim)])
    return any(reply.ok and reply.value == YES for _, reply in answers)
