"""What a task asks, as programs: one question, a data set of them, or a world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from swarmmind.effects import Nested, Outcome, Program, Record
from swarmmind.errors import Failed, Stop
from swarmmind.evals.datasets import Item
from swarmmind.evals.scoring import Answer, Mark, Scoring, graded
from swarmmind.ports import Context
from swarmmind.topologies import Lesson, Question, Society
from swarmmind.topologies.pace import each
from swarmmind.topologies.recall import opened, with_stores


class _Judged(NamedTuple):
    """An output with its judgment, where that is a program's."""

    output: Any
    mark: Mark


def one(
    topology: Callable[[Context, Society], Program],
    society: Society,
    scoring: Scoring | None = None,
    item: Item | None = None,
) -> Callable[[Context], Program]:
    """The program of a single problem or world; where judging is a program, the score is recorded as `score`."""
    if scoring is None or scoring.grade is None or item is None:
        return lambda ctx: begun(topology, society, ctx)

    def program(ctx: Context) -> Program:
        output = yield from begun(topology, society, ctx)
        if output is not None:
            mark = yield from judged(ctx, scoring, Answer(item.text, output, item.target))
            yield [Record("score", mark._asdict())]
        return output

    return program


def judged(ctx: Context, scoring: Scoring, answer: Answer) -> Program:
    """The `Mark` of an answer; it is missing if the budget does not pay for a judge, or the judge failed.

    Raises:
        Failed: memory failed; that is tried again by a resumed run, so nothing may be made of it.
    """
    try:
        return (yield from graded(ctx, scoring, answer))
    except Stop as stop:
        return Mark(None, f"not judged: no {stop.limit} left")
    except Failed as failed:
        if failed.kind == "memory":
            raise
        return Mark(None, f"not judged: {failed}")


def begun(topology: Callable[[Context, Society], Program], society: Society, ctx: Context) -> Program:
    """A program that begins with what the task's memory holds and leaves that as it is: it may be run again."""
    society = society._replace(memory=society.memory.fork())
    return with_stores(society.memory, topology(ctx, society))


def school(society: Society, items: Sequence[Item], score: Callable[[Any, Any], float] | None) -> Society:
    """A society with a data set to learn from, and a judge."""
    return society._replace(lessons=[Lesson(*item) for item in items], judge=score)


def whole(
    topology: Callable[[Context, Society], Program],
    society: Society,
    items: Sequence[Item],
    scoring: Scoring | None,
) -> Callable[[Context], Program]:
    """The program of a data set for a topology that takes it whole (see `school`) and returns an output per problem."""

    def program(ctx: Context) -> Program:
        outputs = yield from begun(topology, society, ctx)
        outcomes = [Outcome(output) for output in outputs]
        if scoring is not None and scoring.grade is not None:
            given = [at for at, output in enumerate(outputs) if output is not None]
            nested = [Nested(_judging(scoring, items[at], outputs[at]), f"score-{at}") for at in given]
            for at, outcome in zip(given, (yield from _whatever(nested)), strict=True):
                outcomes[at] = outcome if outcome.value is not None else outcomes[at]
        return (yield from _told(items, outcomes, scoring))

    return program


def _judging(scoring: Scoring, item: Item, output: Any) -> Callable[[Context], Program]:
    def program(ctx: Context) -> Program:
        mark = yield from judged(ctx, scoring, Answer(item.text, output, item.target))
        return _Judged(output, mark)

    return program


def _whatever(nested: Sequence[Nested]) -> Program:
    """The outcomes of programs, whether or not the budget was enough for all."""
    try:
        return (yield nested)
    except Stop as stop:
        return stop.results


def _told(items: Sequence[Item], outcomes: Sequence[Outcome], scoring: Scoring | None) -> Program:
    """Record what came of each problem; returns the outputs."""
    rows = yield from each(partial(_row, scoring), range(len(items)), items, outcomes)
    records = [Record("item", row) for row in rows]
    if scoring is not None and scoring.grade is not None:
        scores = [row["score"] for row in rows if row.get("score") is not None]
        records.append(Record("score", Mark(sum(scores) / len(scores) if scores else None)._asdict()))
    yield records
    return [row["output"] for row in rows]


def many(
    topology: Callable[[Context, Society], Program],
    society: Society,
    items: Sequence[Item],
    scoring: Scoring | None,
) -> Callable[[Context], Program]:
    """The program of a data set: every problem on its own, all at once, each with a memory of its own.

    All of them begin with the same: what is kept for later runs is loaded once.
    """

    def program(ctx: Context) -> Program:
        common = society._replace(memory=society.memory.fork())
        yield from opened(common.memory)
        nested = [Nested(_for_item(topology, common, item, scoring), f"item-{at}") for at, item in enumerate(items)]
        outcomes = yield from _whatever(nested)
        outputs = yield from _told(items, outcomes, scoring)
        if all(outcome.failure is not None and outcome.stopped is None for outcome in outcomes):
            raise Failed(f"all {len(items)} problems failed; the first: {outcomes[0].failure.message}")
        return outputs

    return program


def _for_item(
    topology: Callable[[Context, Society], Program], society: Society, item: Item, scoring: Scoring | None
) -> Callable[[Context], Program]:
    question: Question = society.question._replace(text=item.text)
    asked = society._replace(question=question)
    if scoring is None or scoring.grade is None:
        return one(topology, asked)

    def program(ctx: Context) -> Program:
        output = yield from begun(topology, asked, ctx)
        return None if output is None else (yield from _judging(scoring, item, output)(ctx))

    return program


def _row(scoring: Scoring | None, at: int, item: Item, outcome: Outcome) -> Mapping[str, Any]:
    value = outcome.value
    row: dict[str, Any] = {"item": at, "output": value.output if isinstance(value, _Judged) else value}
    if outcome.failure is not None:
        row["failure"] = outcome.failure.message
    if isinstance(value, _Judged):
        row["score"] = value.mark.score
        row |= {"reason": value.mark.reason} if value.mark.reason else {}
    elif scoring is not None and scoring.grade is None and value is not None:
        row["score"] = scoring.score(value, item.target)
    return row
