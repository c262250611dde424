"""A workflow at work: a step begins when all that it reads is there (SwarmAgentic, arXiv 2506.15672)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from swarmmind.effects import Program, Record
from swarmmind.errors import Stop, UserError
from swarmmind.ports import Context
from swarmmind.topologies.flow import flow
from swarmmind.topologies.governance import votes
from swarmmind.topologies.society import Society
from swarmmind.topologies.workflow.picture import picture
from swarmmind.topologies.workflow.steps import Workflow, usual, workflow
from swarmmind.topologies.workflow.team import Team, workers


def work(ctx: Context, society: Society, steps: Any = None) -> Program:
    """Do the steps, each as soon as those that it reads are done; the result is what the last one comes to.

    Everybody is told the problem, what the steps that its own step reads came to, quoted under its authors' names, and
    its step's task. A deliverable is one answer: of several in the last step the most frequent one, under `join` too.

    Under the policy `skip` a step in which nobody answered gives nothing, and those that read it go on with what else
    they have. If the last one gives nothing, or a spent budget ends the run, the deliverable is the latest there is:
    of the last step in the order of the work in which somebody answered.

    Args:
        ctx: the program's place.
        society: in a step work those who have its roles.
        steps: the workflow as a list of steps (see `Step`); by default one for each role, in the order of the task
            file, each reading the one before.

    Raises:
        UserError: the steps are no workflow (see `gates`).
        Failed: too few of a step's agents answered (see `Policy`), or under `skip` nobody gave anything to deliver.
    """
    team = Team(society, _plan(society, steps))
    yield [picture(team.order, team.workers)]
    stopped = False
    try:
        yield from flow({step.name: team.part(step) for step in team.order})
    except Stop:
        stopped = True
    with suppress(Stop):  # what was said is there, whether it can be remembered or not
        yield from team.past.settle()
    last, value = team.order[-1].name, team.deliverable()
    if team.order[-1].aggregate == "vote":
        yield [Record("votes", votes(team.said[last]))]
    if value is None and not stopped:
        society.policy.check(team.replies[last])
    return value


def work_calls(society: Society, steps: Any = None) -> int:
    """Calls of a run in which every answer is readable at once: everybody speaks once in each of its steps.

    Raises:
        UserError: the steps are no workflow.
    """
    return sum(len(workers(society, step)) for step in _plan(society, steps).steps)


def _plan(society: Society, steps: Any) -> Workflow:
    roles = list(dict.fromkeys(agent.role for agent in society.agents))
    try:
        return usual(roles) if steps is None else workflow(steps, roles)
    except ValueError as error:
        raise UserError(f"steps: {error}") from None
