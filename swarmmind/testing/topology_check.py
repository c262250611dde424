"""What a topology promises, as a function that fails loudly when it does not.

    check_topology(ring3)                                       # a generator (ctx, society, **parameters)
    check_topology(Topology(ring3, ring3_calls), barrier=True)

It is played through the real driver, with a journal on disk and simulated time, by agents whose every answer carries a
mark. The promises, by the names that `excused` takes:

    determinism  the same seed gives the same calls, requests and value, run after run
    chance       chance comes from `ctx.rng`: the state of global generators changes nothing
    latency      who is faster changes no call, no request and no value (not so with any, now or quorum on purpose)
    words        whose name stands over a quotation said what is quoted; others' words stand in quotations only
    value        the value is what somebody said; `None` only if nobody said anything
    barrier      (if asked for) what an agent reads in its r-th turn was said in earlier turns
    calls        a `Topology` that counts its calls counts right
    failures     a fifth of the agents, or of the calls, fails: `skip` delivers, `fail` ends it, no word is made up
    budget       a budget that ends it early costs no answer that was paid for, and a larger one goes on from there
    resume       killed at any yield or call, it goes on: nothing is asked again, and it ends as if nothing had happened

All plays are in one process: a course that hangs on the order of a set of texts is the same in all of them, and another
one in the next process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from swarmmind.effects import Agent, Limits, Outcome, Program, Reply
from swarmmind.errors import Stop, near
from swarmmind.memory import Window
from swarmmind.ports import Context
from swarmmind.runtime.journal import content
from swarmmind.runtime.meter import Meter
from swarmmind.testing.marks import MARK, Answer, Killed, Marked, Said, marked, quotations, sayings
from swarmmind.testing.play import MODEL, play
from swarmmind.testing.replays import Rows, global_chance, parting, short, spread
from swarmmind.topologies import Policy, Question, Society, Topology
from swarmmind.topologies.recall import with_stores

PROMISES = ("determinism", "chance", "latency", "words", "value", "barrier", "calls", "failures", "budget", "resume")
_MOST_CUTS = 24  # kills, and budgets, that are tried: spread over the whole run if it makes more calls
_FAILING_SHARE = 0.2


def check_topology(
    topology: Topology | Callable[..., Program],
    society: Society | int = 5,
    *,
    parameters: Mapping[str, Any] | None = None,
    answer: Answer = marked,
    barrier: bool = False,
    asides: Collection[str] = (),
    excused: Collection[str] = (),
) -> None:
    """Check a topology.

    Args:
        topology: the generator function, or a `Topology` with its price.
        society: who takes part, the question, the memory; a number is so many solvers without memory. Their models are
            replaced.
        parameters: the topology's own.
        answer: what agents say, where marked sentences, options and documents will not do.
        barrier: whether it goes in rounds, so that nobody reads what is said in the same round.
        asides: what agents are asked to `do`, in the words of their observations, that answers no question: where
            nothing else was said, there is no value to lose.
        excused: promises that it does not make.

    Raises:
        AssertionError: it broke a promise; the message begins with its name and says where.
    """
    for name in excused:
        if name not in PROMISES:
            raise ValueError(f"excused: expected names of promises, got {name!r}{near(name, PROMISES)}")
    found = topology if isinstance(topology, Topology) else Topology(topology)
    members = society if isinstance(society, Society) else _solvers(society)
    named = [msgspec.structs.replace(agent, model=MODEL, index=at) for at, agent in enumerate(members.agents)]
    with tempfile.TemporaryDirectory() as folder:
        check = _Check(Path(folder), found, members._replace(agents=named), dict(parameters or {}), answer)
        check.asides, check.follows_words = asides, "words" not in excused
        for promise in PROMISES:
            if promise not in excused and (barrier or promise != "barrier"):
                getattr(check, promise)()


def _solvers(count: int) -> Society:
    return Society([Agent(f"solver-{at}", "solver") for at in range(count)], Window(0), Question("?"))


class _Run(NamedTuple):
    """One play.

    Attributes:
        journal: its file.
        outcome: what it came to.
        meter: what was counted.
        calls: what was asked in this session.
        rows: what the journal holds.
        yields: how often the program yielded.
    """

    journal: Path
    outcome: Outcome
    meter: Meter
    calls: list[Said]
    rows: Rows
    yields: int

    def asked(self) -> dict[str, Reply]:
        """Journaled replies by key, failed ones too."""
        return {row[1]: msgspec.json.decode(row[6], type=Reply) for row in self.rows if _is_ask(row)}

    def timeless(self) -> _Run:
        """Without what may depend on who was faster: which arrivals made up an answer, and how often it yielded."""
        return self._replace(rows=[row for row in self.rows if _is_ask(row)])


def _is_ask(row: tuple[str, ...]) -> bool:
    return row[0] == "result" and row[2] == "Ask"


class _Check:
    """The promises of one topology, each a method."""

    def __init__(
        self, folder: Path, topology: Topology, society: Society, parameters: dict[str, Any], answer: Answer
    ) -> None:
        self._folder, self._topology, self._society = folder, topology, society
        self._parameters, self._answer = parameters, answer
        self.asides: Collection[str] = ()
        self.follows_words = True
        self._plays = 0
        self._base = self._play("determinism", "a run")

    # --- playing -----------------------------------------------------------------------------------------------------

    def _play(
        self,
        promise: str,
        where: str,
        *,
        policy: str = "skip",
        limits: Limits | None = None,
        journal: Path | None = None,
        end_at_yield: int | None = None,
        **model: Any,
    ) -> _Run:
        """Play it once, to its end or to where it is killed; `where` says in messages which play it is."""
        self._plays += 1
        path = journal or self._folder / f"{self._plays}" / "journal.sqlite"
        path.parent.mkdir(exist_ok=True)
        said = Marked(self._answer, **model)
        counted = _Counted(self._program(policy), end_at_yield)
        outcome, meter = Outcome(), Meter()
        try:
            with global_chance(1 if promise != "chance" else 2):
                played = play(counted, path, model=said, limits=limits)
            outcome, meter = played.outcome, played.meter
        except Killed:
            pass
        except Exception as error:
            raise AssertionError(f"{promise}: {where} raised {type(error).__name__}: {error}") from error
        return _Run(path, outcome, meter, said.calls, list(content(path)), counted.yields)

    def _program(self, policy: str) -> Callable[[Context], Program]:
        kind: Any = policy

        def program(ctx: Context) -> Program:
            memory = self._society.memory.fork()
            society = self._society._replace(memory=memory, policy=Policy(kind))
            return with_stores(memory, self._topology.program(ctx, society, **self._parameters))

        return program

    # --- what it is a function of ------------------------------------------------------------------------------------

    def determinism(self) -> None:
        again = self._play("determinism", "a second run with the same seed")
        why = "it reads a clock, chance that is not seeded, or what an earlier run left behind"
        _equal("determinism", "two runs with one seed differ", self._base, again, why)

    def chance(self) -> None:
        other = self._play("chance", "a run with other global seeds")
        _equal("chance", "with other global seeds", self._base, other, "draw from ctx.rng(name), not from a module")

    def latency(self) -> None:
        other = self._play("latency", "a run with other latencies", speeds="other")
        why = "ask in lists, or give AnyOf places; a program that means to depend on time is excused"
        _equal("latency", "with other latencies", self._base.timeless(), other.timeless(), why)

    # --- words -------------------------------------------------------------------------------------------------------

    def words(self) -> None:
        self._words("words", self._base.calls)

    def _words(self, promise: str, calls: Sequence[Said]) -> None:
        names = {agent.id for agent in self._society.agents}
        authors = {call.mark: call.agent for call in calls if call.text is not None}
        said = {name: [one for c in calls if c.agent == name and c.text for one in sayings(c.text)] for name in names}
        for number, call in enumerate(calls, 1):
            for author, piece in (piece for message in call.messages for piece in quotations(message.content)):
                where = f"{promise}: the prompt of {_nth(number, call)}"
                for mark in MARK.findall(piece):
                    owner = authors.get(mark)
                    assert owner, f"{where} holds {mark}, which nobody said"
                    if not author:
                        assert owner == call.agent, (
                            f"{where} holds words of {owner} outside a quotation; use agents.prompts.quoted"
                        )
                    assert author not in names or author == owner, (
                        f"{where} quotes {author} with words of {owner}: {short(piece)}"
                    )
                assert author not in names or any(piece in one for one in said[author]), (
                    f"{where} quotes {author} with words it never said: {short(piece)}"
                )

    def value(self) -> None:
        self._delivered("value", "the run", self._base)

    def _delivered(self, promise: str, where: str, run: _Run) -> None:
        """The value is what somebody said, and is there if anybody answered the question."""
        outcome, replies = run.outcome, {key: reply for key, reply in run.asked().items() if reply.ok}
        wanted = self._society.question.output
        said = [call for call in run.calls if call.key in replies and call.do not in self.asides]
        answers = sum(call.output == wanted for call in said)
        values = outcome.value if isinstance(outcome.value, list) else [outcome.value]  # one, or one for each problem
        made = [value for value in values if value is not None]
        why = f": {outcome.failure.message}" if outcome.failure else ""
        assert made or not answers, f"{promise}: {where} gave {answers} answers and came to nothing{why}"
        for value in made:
            assert any(value == reply.value for reply in replies.values()), (
                f"{promise}: {where} came to what nobody said: {short(str(value))}"
            )

    def barrier(self) -> None:
        turns = {call.mark: call for call in self._base.calls}
        for number, call in enumerate(self._base.calls, 1):
            for mark in (mark for message in call.messages for mark in MARK.findall(message.content)):
                heard = turns.get(mark, call)
                assert heard is call or heard.turn < call.turn, (
                    f"barrier: the prompt of {_nth(number, call)}, turn {call.turn} of {call.agent}, holds what "
                    f"{heard.agent} said in turn {heard.turn}; it may hold earlier turns alone"
                )

    # --- counting ----------------------------------------------------------------------------------------------------

    def calls(self) -> None:
        if self._topology.calls is not None:
            counted, made = self._topology.calls(self._society, **self._parameters), len(self._base.calls)
            assert counted == made, f"calls: it counts {counted} calls and makes {made}"

    def failures(self) -> None:
        names = [agent.id for agent in self._society.agents]
        size = max(1, round(_FAILING_SHARE * len(names)))
        for start in range(0, len(names), size):
            failing = names[start : start + size]
            self._failures(f"with {', '.join(failing)} failing", failing=failing)
        self._failures("with a fifth of all calls failing", failing_share=_FAILING_SHARE)

    def _failures(self, where: str, **model: Any) -> None:
        for policy in ("skip", "fail"):
            place = f"{where} and the policy {policy!r} it"
            run = self._play("failures", place, policy=policy, **model)
            _adds_up("failures", place, run)
            if self.follows_words:
                self._words(f"failures: {where}: words", run.calls)
            failed = run.meter.total().failed
            if policy == "skip":
                self._delivered("failures", place, run)
            elif failed:
                assert run.outcome.failure is not None, f"failures: {place} went on over {failed} failed calls"

    def budget(self) -> None:
        whole = len(self._base.calls)
        for calls in spread(whole, _MOST_CUTS):
            where = f"with a budget of {calls} of {whole} calls it"
            run = self._play("budget", where, limits=Limits(calls=calls))
            _adds_up("budget", where, run)
            assert run.outcome.stopped == "calls", f"budget: {where} does not say that it was stopped"
            self._delivered("budget", where, run)
            self._goes_on("budget", f"resumed without a budget after {calls} calls, it", run)

    # --- resume ------------------------------------------------------------------------------------------------------

    def resume(self) -> None:
        for calls in spread(len(self._base.calls), _MOST_CUTS):
            cut = self._play("resume", f"until call {calls + 1}", kill_after=calls)
            self._goes_on("resume", f"killed at call {calls + 1}, it", cut)
        for number in spread(self._base.yields, _MOST_CUTS):
            cut = self._play("resume", f"until yield {number + 1}", end_at_yield=number + 1)
            self._goes_on("resume", f"killed at yield {number + 1}, it", cut)

    def _goes_on(self, promise: str, where: str, cut: _Run) -> None:
        kept = cut.asked()
        resumed = self._play(promise, where, journal=cut.journal)
        again = [call.key for call in resumed.calls if call.key in kept]
        assert not again, f"{promise}: {where} asks again what was answered: {again[0]}"
        why = "its course may depend on nothing but its seed and what it is sent"
        runs = (self._base, resumed) if promise == "resume" else (self._base.timeless(), resumed.timeless())
        _equal(promise, f"{where} ends another way", *runs, why)


class _Counted:
    """A program whose yields are counted, and which is killed at one of them if need be."""

    def __init__(self, program: Callable[[Context], Program], end_at: int | None) -> None:
        self._program, self._end_at = program, end_at
        self.yields = 0

    def __call__(self, ctx: Context) -> Program:
        inner = self._program(ctx)
        value: Any = None
        stop: Stop | None = None
        try:
            while True:
                try:
                    awaiting = inner.send(value) if stop is None else inner.throw(stop)
                except StopIteration as end:
                    return end.value
                self.yields += 1
                if self.yields == self._end_at:
                    raise Killed
                try:
                    value, stop = (yield awaiting), None
                except Stop as thrown:
                    stop = thrown
        finally:
            inner.close()


def _equal(promise: str, where: str, one: _Run, other: _Run, why: str) -> None:
    apart = parting(one.rows, other.rows)
    assert apart is None, f"{promise}: {where}, first at {apart} ({why})"
    came = [run.outcome.value if run.outcome.ok else run.outcome.failure for run in (one, other)]
    assert came[0] == came[1], f"{promise}: {where}: {short(str(came[0]))} against {short(str(came[1]))} ({why})"


def _adds_up(promise: str, where: str, run: _Run) -> None:
    total = run.meter.total()
    assert total.planned == total.finished + total.failed + total.cancelled, (
        f"{promise}: {where} lost track: {total.planned} planned, {total.finished} finished, {total.failed} failed, "
        f"{total.cancelled} cancelled"
    )


def _nth(number: int, call: Said) -> str:
    return f"call {number} ({call.key})"
