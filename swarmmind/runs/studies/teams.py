"""Candidates as teams: the task with their values, loaded and built, once each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from swarmmind.errors import SpecError, UserError
from swarmmind.optimizers.candidate import Candidate, Values
from swarmmind.optimizers.parameters import ChoiceParameter, NumberParameter
from swarmmind.ports import Environment
from swarmmind.runs.plan import Plan, make_environment
from swarmmind.runs.studies.draft import Draft
from swarmmind.runs.studies.parameters import Bound
from swarmmind.runs.teams import Team, make_team, models_named
from swarmmind.spec import LoadedTask, ModelSpec, changed
from swarmmind.spec.source import show
from swarmmind.topologies import Society

REMEMBERED = 256
"""Teams; each takes some 60 KB, and 20 ms to make."""


class Crew(NamedTuple):
    """A candidate at work.

    Attributes:
        loaded: the task with its values.
        team: the swarm.
        calls: of a run of one example without failures; `None` if nobody knows.
    """

    loaded: LoadedTask
    team: Team
    calls: int | None


class Teams:
    """Makes a team of each candidate when it is needed, and remembers the last ones.

    Args:
        plan: the task's own; what its problem is, and how it is judged, holds for all candidates.
        bounds: the study's parameters.
        allow_code: whether the user allowed the task to name Python code.
        remembered: how many teams are kept.

    Attributes:
        allow_code: the same.
        largest: the calls of the largest team that `models` tried; `None` if nobody can count them.
    """

    def __init__(
        self, plan: Plan, bounds: Sequence[Bound], *, allow_code: bool = False, remembered: int = REMEMBERED
    ) -> None:
        self._plan, self._bounds, self.allow_code = plan, bounds, allow_code
        self._known: dict[str, Crew | str] = {}
        self._most = remembered
        self.largest: int | None = None

    def task(self, values: Values) -> LoadedTask:
        """The task with a candidate's values.

        Raises:
            SpecError: it does not load with them.
        """
        draft = Draft.of(self._plan.loaded)
        for bound in sorted(self._bounds, key=lambda bound: bound.depth):  # stable: else in the order of the task
            bound.put(draft, values[bound.name])
        return changed(self._plan.loaded, draft.data, draft.cards, allow_code=self.allow_code)

    def crew(self, values: Values) -> Crew:
        """The same, built.

        Raises:
            SpecError: it does not load, or its topology cannot work with its agents.
        """
        loaded = self.task(values)
        team = make_team(loaded, loaded.swarm, self._plan.streams, allow_code=self.allow_code)
        if team.whole:
            message = f"{loaded.topology.name!r} works on a data set as a whole, and a study scores examples one by one"
            raise loaded.error(("swarm", "topology"), message)
        if team.memory.stores():
            message = "outlives the run: candidates would learn from each other; take a memory without a store"
            raise loaded.error(("swarm", "memory"), message)
        society = self.society(Crew(loaded, team, None), "", self.environment(loaded, len(team.agents)))
        calls = team.calls(society) if team.calls else None
        return Crew(loaded, team, None if self._plan.societies else calls)

    def __call__(self, candidate: Candidate) -> Crew | str:
        """A candidate's team, or why it can have none."""
        found = self._known.pop(candidate.id, None)
        if found is None:
            try:
                found = self.crew(candidate.values)
            except UserError as error:
                found = plain(error)
        self._known[candidate.id] = found  # the one that was needed last comes last
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        return found

    def society(self, crew: Crew, text: str, environment: Environment | None, seed: int = 0) -> Society:
        """A team with something to do."""
        question = self._plan.society.question._replace(text=text)
        return crew.team.society(question, environment, seed)

    def environment(self, loaded: LoadedTask, agents: int) -> Environment | None:
        """A world of one's own, if the problem is one."""
        return make_environment(loaded, agents, self.allow_code)

    def models(self, start: Values) -> dict[str, ModelSpec]:
        """The models that any value of any parameter may use, every one of which is tried here.

        Raises:
            SpecError: a value that is offered cannot be taken, all others being the task's own; with its place.
        """
        own = self.crew(start)
        found, tried, largest = models_named(own.loaded), [own], dict(start)
        for bound in self._bounds:
            ends = {at: self._tried(bound, value, start) for at, value in enumerate(_ends(bound))}
            for crew in ends.values():
                found |= models_named(crew.loaded)
            tried += ends.values()
            if ends:
                largest[bound.name] = _ends(bound)[max(ends, key=lambda at: ends[at].calls or 0)]
        with suppress(UserError):  # values that each make a team need not make one together
            tried.append(self.crew(largest))
        counts = [crew.calls for crew in tried if crew.calls is not None]
        self.largest = max(counts) if len(counts) == len(tried) else None
        return found

    def _tried(self, bound: Bound, value: Any, start: Values) -> Crew:
        try:
            return self.crew({**start, bound.name: value})
        except UserError as error:
            raise self._plan.loaded.error(bound.at, f"with {show(value)}: {plain(error)}") from error


def _ends(bound: Bound) -> Sequence[Any]:
    parameter = bound.parameter
    if isinstance(parameter, ChoiceParameter):
        return parameter.options
    if isinstance(parameter, NumberParameter):
        return parameter.from_unit(0.0), parameter.from_unit(1.0)
    return ()


def plain(error: UserError) -> str:
    """What is wrong, without the place: it is the place of the value that a candidate's replaced."""
    text = str(error)
    if isinstance(error, SpecError) and error.file:
        return text.removeprefix(f"{error.file}:{error.line}:{error.column}: ").removeprefix(f"{error.file}: ")
    return text
