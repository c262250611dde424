"""The end of a run: one agent puts the answer together from what was validated; failing that, code does."""

from __future__ import annotations

from swarmmind.agents.answers import final_text
from swarmmind.effects import TEXT, Choice
from swarmmind.topologies.recall import Steps
from swarmmind.topologies.swarmsys import prompts
from swarmmind.topologies.swarmsys.state import State


def assembled(state: State) -> Steps[str | None]:
    """The answer to the task in its form, by the first validator, or the first explorer, or else in code."""
    output = state.society.question.output
    text = prompts.assemble(state.board, state.society.question.closing)
    results = {e.id: e.result.answer for e in state.board.events.values() if e.result and e.status == "validated"}
    for agent in (state.validators[0], state.explorers[0]):
        ask = state.ask(agent, text, output, {"do": "assemble", "task": state.task, "results": results})
        [reply] = yield from state.asked([ask])
        if reply.ok:
            return reply.value
    return built(state)


def built(state: State) -> str | None:
    """What was validated and nothing builds on, in the order of adding; `None` if that is nothing.

    A choice is made only if one of these answers is one of its options.
    """
    validated = [event for event in state.board.events.values() if event.status == "validated" and event.result]
    last = [event for event in validated if not state.board.dependents(event)] or validated
    answers = [" ".join(event.result.answer.split()) for event in last if event.result]
    output = state.society.question.output
    if isinstance(output, Choice):
        said = {final_text(answer) for answer in answers}
        return next((option for option in output.options if final_text(option) in said), None)
    if not answers or output != TEXT:
        return None
    lines = [f"{event.id}: {answer}" for event, answer in zip(last, answers, strict=True)]
    return "\n".join([*lines, f"ANSWER: {'; '.join(answers)}"])
