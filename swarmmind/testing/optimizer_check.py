"""What an optimizer promises, as a function that fails loudly when it does not.

    check_optimizer(climb)                                      # a generator (ctx, study, **parameters)
    check_optimizer(OPTIMIZERS["pso"], parameters={"particles": 4, "iterations": 3})

It is played through the real driver, with a journal on disk and simulated time; critic and editor are programs that
answer whatever they are asked. The promises, by the names that `excused` takes:

    determinism  the same seed gives the same calls, candidates and conclusion, run after run
    chance       chance comes from `ctx.rng`: the state of global generators changes nothing
    resume       killed at any call or evaluation, it goes on: nothing is paid twice, and it ends as if nothing happened
    workers      latencies, and whether 1, 3 or 16 calls can be under way at once, change nothing
    budget       walls of examples and calls hold; each list is priced before it is begun; a larger one goes on; what is
                 good is kept
    cache        what is measured once is not measured again; a missing score is neither remembered nor an end
    splits       no prompt holds words of a validation run, and nothing outside training and validation is run
    edits        whatever critic and editor say, or if they fail: no change, recorded, and it ends
    most         it scores and asks no more than it said it would at most

All plays are in one process: a course that hangs on the order of a set of texts is the same in all of them, and another
one in the next process.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

from swarmmind.effects import Limits, Outcome, Program
from swarmmind.errors import near
from swarmmind.optimizers import Optimizer
from swarmmind.optimizers.conduct import Conclusion, Stops, conduct
from swarmmind.optimizers.study import Evaluator, Most, Optimize, Study
from swarmmind.ports import Context
from swarmmind.runtime.journal import content
from swarmmind.testing.marks import Answer, Killed, Marked, Placed, Said
from swarmmind.testing.play import MODEL, play
from swarmmind.testing.replays import Rows, global_chance, parting, short, spread
from swarmmind.testing.studies import CANARY, Evaluating, Team, Watched, helpful, study_for, useless

PROMISES = ("determinism", "chance", "resume", "workers", "budget", "cache", "splits", "edits", "most")
_MOST_WALLS = 5  # of examples, and as many of calls
_PLACES = (1, 3, 16)
_FAILING_SHARE = 0.2
_KINDS = frozenset({"text", "choice", "float"})  # of a generator that does not say what it changes
_FOREIGN = "an optimizer may not evaluate"  # what the conductor says of another's examples
_UNSCORED = "none of "  # how it begins when every example of an evaluation failed


def check_optimizer(
    optimizer: Optimizer | Optimize,
    study: Study | None = None,
    evaluator: Evaluator | None = None,
    *,
    parameters: Mapping[str, Any] | None = None,
    answers: Answer = helpful,
    excused: Collection[str] = (),
    kills: int = 10,
) -> None:
    """Check an optimizer.

    Args:
        optimizer: the generator function, or an `Optimizer` with its price and the kinds of parameters it changes.
        study: what it works on; by default one with parameters of its kinds, six examples to learn from and four to
            choose by. The models of its critic and editor are replaced.
        evaluator: scores candidates; by default a team of one or two. Agents that it asks have `play.MODEL`.
        parameters: the optimizer's own; small ones, for it is played about a hundred times.
        answers: what critic and editor say; by default something that fits any schema, and for an `edit` a new value.
        excused: promises that it does not make.
        kills: so many by calls, and as many by evaluations, spread over the study; if it makes fewer, at every one.

    Raises:
        AssertionError: it broke a promise; the message begins with its name and says where.
    """
    for name in excused:
        if name not in PROMISES:
            raise ValueError(f"excused: expected names of promises, got {name!r}{near(name, PROMISES)}")
    found = optimizer if isinstance(optimizer, Optimizer) else Optimizer(optimizer, _unknown, _KINDS)
    given = study or study_for(found.kinds)
    critic, editor = (msgspec.structs.replace(agent, model=MODEL) for agent in (given.critic, given.editor))
    given = given._replace(critic=critic, editor=editor)
    with tempfile.TemporaryDirectory() as folder:
        check = _Check(Path(folder), found, given, evaluator or Team(given), dict(parameters or {}), answers)
        check.kills = kills
        for promise in PROMISES:
            if promise not in excused:
                getattr(check, promise)()


def _unknown(study: Study, **parameters: Any) -> Most:
    return Most(10**9, 10**9)


class _Run(NamedTuple):
    """One play.

    Attributes:
        journal: its file.
        end: what the study came to; `None` if the play was killed.
        broken: the limit that the purse could not pay, if it came to that.
        calls: what was asked in this session.
        runs: what the evaluator was asked in this session, as candidate, example and rep.
        asks: how many of critic and editor were answered, earlier sessions included.
        rows: what the journal holds.
    """

    journal: Path
    end: Conclusion | None
    broken: str | None
    calls: list[Said]
    runs: list[tuple[str, str, int]]
    asks: int
    rows: Rows

    @property
    def conclusion(self) -> Conclusion:
        """Of a play that was not killed."""
        assert self.end is not None
        return self.end

    def results(self) -> set[str]:
        """The keys of what is journaled."""
        return {row[1] for row in self.rows if row[0] == "result"}

    def undisturbed(self) -> _Run:
        """Without what is noted of spending whenever a study ends."""
        return self._replace(rows=[row for row in self.rows if row[0] != "record" or row[2] != "study"])

    def refused(self) -> int:
        """How many changes came to nothing."""
        return sum(row[0] == "record" and row[2] == "refused" for row in self.rows)


class _Check:
    """The promises of one optimizer, each a method."""

    def __init__(
        self,
        folder: Path,
        optimizer: Optimizer,
        study: Study,
        evaluator: Evaluator,
        parameters: dict[str, Any],
        answers: Answer,
    ) -> None:
        self._folder, self._optimizer, self._study, self._evaluator = folder, optimizer, study, evaluator
        self._parameters, self._answers = parameters, answers
        self._most = optimizer.most(study, **parameters)
        self.kills = 10
        self._plays = 0
        self._base = self._play("determinism", "a run")
        tried = self._base.conclusion.tried
        assert tried > len(study.start), f"determinism: a run tried {tried} candidates; there is nothing to check"

    # --- playing -----------------------------------------------------------------------------------------------------

    def _play(
        self,
        promise: str,
        where: str,
        *,
        stops: Stops | None = None,
        journal: Path | None = None,
        answers: Answer | None = None,
        run: Evaluating | None = None,
        places: int | None = None,
        **model: Any,
    ) -> _Run:
        """Play it once, to its end or to where it is killed; `where` says in messages which play it is."""
        self._plays += 1
        path = journal or self._folder / f"{self._plays}" / "journal.sqlite"
        path.parent.mkdir(exist_ok=True)
        said = Marked(answers or self._answers, **model)
        watched = Watched(self._optimizer.program, self._parameters)
        run = run or Evaluating()
        run.begin(self._evaluator, self._study)

        def program(ctx: Context) -> Program:
            return conduct(ctx, self._study, watched, run, stops)

        outcome, broken = None, None
        try:
            with global_chance(1 if promise != "chance" else 2):
                limits = stops.limits if stops else None
                played = play(program, path, model=Placed(said, places) if places else said, limits=limits)
            outcome, broken = played.outcome, played.purse.broken
        except Killed:
            pass
        except Exception as error:
            broken = "splits" if _FOREIGN in str(error) else promise
            raise AssertionError(f"{broken}: {where} raised {type(error).__name__}: {error}") from error
        end = None if outcome is None else _concluded(promise, where, outcome)
        return _Run(path, end, broken, said.calls, run.runs, watched.asks, list(content(path)))

    def _goes_on(self, promise: str, where: str, cut: _Run) -> None:
        resumed = self._play(promise, where, journal=cut.journal)
        again = [call.key for call in resumed.calls if call.key in cut.results()]
        assert not again, f"{promise}: {where} pays again for {again[0]}"
        why = "its course may depend on nothing but its seed and what it is sent"
        one, other = self._base, resumed
        if promise == "budget":
            one, other = one.undisturbed(), other.undisturbed()
        _equal(promise, f"{where} ends another way", one, other, why)

    # --- what it is a function of ------------------------------------------------------------------------------------

    def determinism(self) -> None:
        again = self._play("determinism", "a second run with the same seed")
        why = "it reads a clock, chance that is not seeded, or what an earlier run left behind"
        _equal("determinism", "two runs with one seed differ", self._base, again, why)

    def chance(self) -> None:
        other = self._play("chance", "a run with other global seeds")
        _equal("chance", "with other global seeds", self._base, other, "draw from ctx.rng(name), not from a module")

    def resume(self) -> None:
        for calls in spread(len(self._base.calls), self.kills):
            cut = self._play("resume", f"until call {calls + 1}", kill_after=calls)
            self._goes_on("resume", f"killed at call {calls + 1}, it", cut)
        for runs in spread(len(self._base.runs), self.kills):
            cut = self._play("resume", f"until evaluation {runs + 1}", run=Evaluating(kill_after=runs))
            self._goes_on("resume", f"killed at evaluation {runs + 1}, it", cut)

    def workers(self) -> None:
        for places in _PLACES:
            where = f"with {places} calls at once and other latencies"
            other = self._play("workers", where, places=places, speeds=f"{places}")
            _equal("workers", where, self._base, other, "results come in the order asked: heed no other")

    # --- what it takes -----------------------------------------------------------------------------------------------

    def budget(self) -> None:
        assert self._base.conclusion.evaluation, "budget: a run keeps nothing, and so what it paid for is lost"
        whole = self._base.conclusion.examples
        for examples in spread(whole, _MOST_WALLS):
            where = f"with a budget of {examples} of {whole} examples it"
            cut = self._play("budget", where, stops=Stops(examples=examples))
            assert cut.conclusion.reason == "examples", f"budget: {where} ends with {cut.conclusion.reason!r}"
            assert len(cut.runs) <= examples, f"budget: {where} runs {len(cut.runs)}"
            self._goes_on("budget", f"resumed without a budget after {examples} examples, it", cut)
        for calls in spread(len(self._base.calls), _MOST_WALLS):
            where = f"with a budget of {calls} of {len(self._base.calls)} calls it"
            cut = self._play("budget", where, stops=Stops(limits=Limits(calls=calls)))
            assert cut.conclusion.reason == "calls", f"budget: {where} ends with {cut.conclusion.reason!r}"
            assert len(cut.calls) <= calls, f"budget: {where} makes {len(cut.calls)}"
            assert cut.broken is None, f"budget: {where} begins a list that it cannot pay for"
            self._goes_on("budget", f"resumed without a budget after {calls} calls, it", cut)

    def cache(self) -> None:
        again = [run for run, times in Counter(self._base.runs).items() if times > 1]
        assert not again, f"cache: {again[0]} is run twice"
        self._play("cache", "with an example of each split missing at first, it", run=Evaluating(missing=True))

    def most(self) -> None:
        self._within("most", "a run", self._base)
        for name, score in _WORLDS.items():
            where = f"a run in which {name}"
            self._within("most", where, self._play("most", where, run=Evaluating(score=score)))

    def _within(self, promise: str, where: str, run: _Run) -> None:
        examples, asks = self._most
        ran = run.conclusion.examples
        assert ran <= examples, f"{promise}: {where} scores {ran} examples, and said {examples}"
        assert run.asks <= asks, f"{promise}: {where} asks {run.asks} times, and said {asks}"

    # --- what is said ------------------------------------------------------------------------------------------------

    def splits(self) -> None:
        known = {*self._study.train.ids, *self._study.validate.ids}
        foreign = [example for _, example, _ in self._base.runs if example not in known]
        assert not foreign, f"splits: it runs {foreign[0]}, which is no example of its splits"
        for call in self._base.calls:
            prompt = "\n".join(message.content for message in call.messages)
            assert CANARY not in prompt, f"splits: the prompt of {call.key} holds words of a validation run"

    def edits(self) -> None:
        if not self._base.asks:
            return
        ours = [self._study.critic.id, self._study.editor.id]
        for where, how in (
            ("with answers that nobody can read", {"answers": _babble}),
            ("with values that lose every placeholder", {"answers": useless}),
            ("with critic and editor failing", {"failing": ours}),
            ("with a fifth of all calls failing", {"failing_share": _FAILING_SHARE}),
        ):
            run = self._play("edits", f"{where} it", **cast("dict[str, Any]", how))
            if run.end is None:
                continue
            self._within("edits", f"{where} it", run)
            values = any('"value":' in (call.text or "") for call in run.calls)
            if values if how.get("answers") is useless else "failing_share" not in how:
                assert run.refused(), f"edits: {where} it records nothing as refused"
                self._unchanged(where, run.conclusion, answers_are_read=how.get("answers") is useless)

    def _unchanged(self, where: str, end: Conclusion, *, answers_are_read: bool) -> None:
        """No words may have changed; of answers that can be read, those whose placeholders they lost."""
        for parameter in self._study.of(*(["text"] if answers_are_read else ["text", "workflow"])):
            if answers_are_read and not getattr(parameter, "placeholders", None):
                continue
            known = [start.values[parameter.name] for start in self._study.start]
            for one in end.candidates.values():
                value = one.values[parameter.name]
                assert value in known, f"edits: {where} {parameter.name} became {short(json.dumps(value))}"


_WORLDS: dict[str, Callable[[int, int], float]] = {
    "nothing ever works": lambda number, example: 0.0,
    "everything works": lambda number, example: 1.0,
    "each candidate is better than those before": lambda number, example: 1 - 1 / (2 + number),
    "each candidate fails some examples": lambda number, example: float((number + example) % 3 > 0),
}


def _babble(request: Any, mark: str) -> str:
    return f"Well, {mark}, who is to say?"


def _concluded(promise: str, where: str, outcome: Outcome) -> Conclusion | None:
    if outcome.failure is not None and outcome.failure.message.startswith(_UNSCORED):
        return None  # nobody can go on from there
    assert outcome.failure is None, f"{promise}: {where} came to nothing: {outcome.failure.message}"
    return outcome.value


def _equal(promise: str, where: str, one: _Run, other: _Run, why: str) -> None:
    apart = parting(one.rows, other.rows)
    assert apart is None, f"{promise}: {where}, first at {apart} ({why})"
    came = [short(str(dict(run.conclusion.best.values))) for run in (one, other)]
    assert one.end == other.end, f"{promise}: {where}: {came[0]} against {came[1]} ({why})"
