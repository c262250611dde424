"""MAP (arXiv 2310.00194, algorithms 1 to 3): modules propose, check, predict, estimate and compare moves to a goal."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from swarmmind.effects import TEXT, Program, Record
from swarmmind.errors import Stop, UserError
from swarmmind.ports import Context
from swarmmind.topologies.planner.crew import Crew
from swarmmind.topologies.planner.prompts import Prompts
from swarmmind.topologies.planner.search import Search, reached
from swarmmind.topologies.planner.states import Node, Said, ends, written
from swarmmind.topologies.recall import Steps
from swarmmind.topologies.society import Society

_Some = Annotated[int, Field(ge=1)]


def planner(
    ctx: Context,
    society: Society,
    breadth: Annotated[int, Field(ge=1, le=8)] = 2,
    depth: Annotated[int, Field(ge=1, le=4)] = 2,
    tries: _Some = 10,
    moves: _Some | None = None,
    decompose: bool = True,
    monitor: bool = True,
    tree: bool = True,
) -> Program:
    """Plan move by move: propose, check, look ahead, estimate, go on from the best; a module is an agent of its role.

    The decomposer names a state to reach first. The actor proposes moves; the monitor checks each, and its objections
    stand in the actor's next prompt about that state. The predictor says what each move leads to, the evaluator how far
    the leaves of that small tree are from the aim; the move above the nearest leaf is made, and what was tried below it
    is kept for the next one. The coordinator says when an aim is reached. States are texts; a problem may have lines
    `START: ...`, `GOAL: ...` and `MOVES: ...`, and then states are compared with its goal by their words, too.

    A module that nobody plays is left out: without a decomposer the aim is the goal, without a monitor all moves are
    kept, without a predictor a state is the first one and the moves since, without predictor or evaluator the first
    kept move is made, without a coordinator only equal words are an aim reached. A module that fails says nothing.

    Args:
        ctx: the program's place.
        society: by role `decomposer`, `actor`, `monitor`, `predictor`, `evaluator`, `coordinator`; several of one role
            take turns. Agents of other roles act where nobody is an actor.
        breadth: moves that are kept from a state.
        depth: moves that are looked ahead.
        tries: how often the actor is asked about a state, at most.
        moves: how long a plan may be; by default what the problem says, or else 10.
        decompose: whether a subgoal is set.
        monitor: whether moves are checked.
        tree: whether there is a search; if not, the first move that is kept is made.

    Returns (from the program):
        `ANSWER: first move; second move`: all of the plan that was made, also if a budget ended it; `None` if it did so
        before the first move.

    Raises:
        UserError: nobody can act, or the answer is to be no text.
        Failed: no actor answered, or too few agents of a step did (see `Policy`).
    """
    if society.question.output != TEXT:
        raise UserError("swarm.topology: 'planner' answers with a plan, a text; the task's score wants something else")
    off = {"decomposer": decompose, "monitor": monitor, "evaluator": tree}
    crew = Crew(society, [module for module, plays in off.items() if not plays])
    prompts = Prompts(society.question.text)
    search = Search(crew, prompts, breadth, depth, tries, ctx.rng("ties"))
    plan: list[Said] = []
    stopped = False
    try:
        yield from _made(society, crew, prompts, search, plan, moves)
    except Stop:
        stopped = True
    counts = {"moves": len(plan), "proposed": search.proposed, "refused": search.refused}
    yield [Record("metrics", counts)]
    if not plan and not stopped and not any(reply.ok for reply in crew.replies):
        society.policy.check(crew.replies)
    return written(plan) if plan or not stopped else None


def _made(
    society: Society, crew: Crew, prompts: Prompts, search: Search, plan: list[Said], moves: int | None
) -> Steps[None]:
    """Make the plan, move by move."""
    start, goal, limit = ends(society.question.text)
    if start.meets(goal):
        return
    [subgoal] = yield from crew.texts("decomposer", [prompts.decompose(start, goal)], "subgoal")
    aim = goal if subgoal is None or start.meets(subgoal) else subgoal
    node = Node(start)
    for number in range(1, (moves or limit) + 1):
        before = len(crew.replies)
        chosen = yield from search.step(node, aim)
        if chosen is None or chosen.move is None:
            if not any(reply.ok for reply in crew.replies[before:]):
                return  # nobody acts any more
            continue
        node = chosen
        plan.append(chosen.move)
        yield [Record("move", {"number": number, "move": chosen.move.text, "state": node.state.said.text})]
        if not (node.state.meets(goal) or (yield from reached(crew, prompts, node.state, aim))):
            continue
        if aim is goal or (yield from reached(crew, prompts, node.state, goal)):
            return
        aim, node = goal, Node(node.state)  # what was tried below it was proposed for another aim
