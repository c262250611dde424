"""The check of topologies: what is in the box passes it, and each promise that is broken is the one it names."""

from __future__ import annotations

import importlib.util
import itertools
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Agent, AnyOf, Ask, Choice, Json, Message, Program, Reply
from swarmmind.errors import Failed, Stop
from swarmmind.memory import Window
from swarmmind.ports import Context, Request
from swarmmind.testing import check_topology
from swarmmind.testing.marks import marked, quotations, sayings
from swarmmind.topologies import TOPOLOGIES, Lesson, Question, Society, Topology
from swarmmind.topologies.debate import debate
from swarmmind.topologies.vote import elected

ROOT = Path(__file__).parents[2]
AGENTS = 3


def judged(count: int) -> Society:
    agents = [Agent(f"solver-{at}", "solver") for at in range(count)]
    return Society([*agents, Agent("judge-0", "judge")], Window(0), Question("?"))


# --- what is in the box -----------------------------------------------------------------------------------------------

ELSEWHERE = {
    "world": "plays an environment, not a question: tests/topologies/test_world.py",
    "planner": "makes its value of several answers: tests/topologies/test_planner_mishaps.py",
    **dict.fromkeys(("omne", "sapo", "swarmsys"), "below, with what they need"),
}
ASIDES = {"mindstorm": ["ask"]}  # the organizers' questions
EXCUSED = {"gossip": ["latency"]}  # asynchronous on purpose: who is heard first is who was faster
BARRIER = {"debate", "vote", "solo"}


@pytest.mark.parametrize("name", sorted(set(TOPOLOGIES) - set(ELSEWHERE)))
def test_a_topology_in_the_box_keeps_its_promises(name: str) -> None:
    asides, excused = ASIDES.get(name, ()), EXCUSED.get(name, ())
    check_topology(TOPOLOGIES[name], AGENTS, barrier=name in BARRIER, asides=asides, excused=excused)


def test_so_do_a_judge_a_choice_and_a_memory() -> None:
    check_topology(TOPOLOGIES["gptswarm"], judged(AGENTS), parameters={"decide": "judge"})
    options = Question("?", Choice(("A", "B")))
    check_topology(TOPOLOGIES["debate"], judged(2)._replace(question=options, memory=Window(20)))


def ends_with(output: Any, target: Any) -> float:
    return float(str(output).endswith(str(target)))


@pytest.mark.parametrize("name", ["omne", "sapo"])
def test_so_do_those_that_take_a_data_set_whole(name: str) -> None:
    agents = [Agent(f"solver-{at}", "solver") for at in range(AGENTS)]
    lessons = [Lesson(f"problem {at}", str(at)) for at in range(3)]
    society = Society(agents, Window(0), lessons=lessons, judge=ends_with)
    parameters = {"rounds": 3} if name == "sapo" else {}
    excused = ["words"] if name == "sapo" else []  # an author's answer is quoted together with its problem
    check_topology(TOPOLOGIES[name], society, parameters=parameters, excused=excused)


def events(request: Request, mark: str) -> str:
    """What is said in a swarm that splits its task: explorers know of two events, validators accept everything."""
    if request.agent.role == "explorer" and isinstance(request.output, Json):
        event = {"id": "e1", "task": mark, "requires": "sums", "depends_on": [], "priority": 0}
        return json.dumps({"events": [event, {**event, "id": "e2", "depends_on": ["e1"]}]})
    return marked(request, mark).replace("false", "true")


def test_so_does_one_that_makes_its_value_of_several_answers_but_for_words_that_are_its_own() -> None:
    roles = ["explorer", "worker", "worker", "validator"]
    agents = [Agent(f"{role}-{at}", role) for at, role in enumerate(roles)]
    # its value lists events with their results, and what is known of a worker is quoted under that worker's name
    excused = ["words", "value", "failures", "budget"]
    society = Society(agents, Window(0), Question("?"))
    check_topology(TOPOLOGIES["swarmsys"], society, answer=events, excused=excused)


def test_the_example_of_a_topology_of_ones_own_does_too() -> None:
    spec = importlib.util.spec_from_file_location("ring3", ROOT / "examples" / "own-topology" / "ring3.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    check_topology(module.ring3, AGENTS, barrier=True)


# --- broken promises --------------------------------------------------------------------------------------------------


Prompt = Callable[[Society, Agent, dict[str, Reply]], str]


def others(society: Society, agent: Agent, said: dict[str, Reply]) -> str:
    """The others' answers, as they should stand in a prompt."""
    return "\n".join(quoted(name, reply.text or "") for name, reply in said.items() if name != agent.id)


def ask(society: Society, agent: Agent, text: str) -> Ask:
    return Ask(agent, (Message("user", f"?\n{text}"),), society.question.output)


def ok(agents: Sequence[Agent], results: Sequence[Any]) -> dict[str, Reply]:
    said = zip(agents, results, strict=False)
    return {agent.id: reply for agent, reply in said if isinstance(reply, Reply) and reply.ok}


def winner(society: Society, said: dict[str, Reply]) -> str | None:
    return elected([society.question.answer(reply) for reply in said.values()], list(said.values()))


def rounds(prompt: Prompt = others, end: Callable[[Society, dict[str, Reply]], Any] = winner) -> Callable[..., Program]:
    """Two rounds, honest but for what is passed in."""

    def program(ctx: Context, society: Society) -> Program:
        said: dict[str, Reply] = {}
        try:
            for _ in range(2):
                asks = [ask(society, agent, prompt(society, agent, said)) for agent in society.agents]
                replies = yield asks
                society.policy.check(replies)
                said |= ok(society.agents, replies)
        except Stop as stop:
            said |= ok(society.agents, stop.results)
        return end(society, said)

    return program


def test_the_honest_one_passes() -> None:
    check_topology(rounds(), AGENTS, barrier=True)


COUNTER = itertools.count()


def counting(society: Society, agent: Agent, said: dict[str, Reply]) -> str:
    return f"This is prompt {next(COUNTER)}."


def rolling(society: Society, agent: Agent, said: dict[str, Reply]) -> str:
    return f"Begin with the letter {random.choice('abcdefghijkl')}."


def swapping(society: Society, agent: Agent, said: dict[str, Reply]) -> str:
    return "\n".join(quoted(society.agents[0].id, reply.text or "") for reply in said.values())


def inventing(society: Society, agent: Agent, said: dict[str, Reply]) -> str:
    return quoted(society.agents[0].id, "I agree with everybody.") if said else ""


def blurting(society: Society, agent: Agent, said: dict[str, Reply]) -> str:
    return "\n".join(f"They say: {reply.text}" for name, reply in said.items() if name != agent.id)


def standing_in(society: Society, agent: Agent, said: dict[str, Reply]) -> str:
    """Whoever failed is quoted with what it did not say."""
    if not said:
        return ""
    return "\n".join(quoted(a.id, (said[a.id].text if a.id in said else None) or "No answer.") for a in society.agents)


def in_turn(ctx: Context, society: Society) -> Program:
    """One after the other: whoever comes later reads what was said in the same round."""
    said: dict[str, Reply] = {}
    try:
        for agent in society.agents:
            replies: list[Reply] = yield [ask(society, agent, others(society, agent, said))]
            if society.policy.kind == "fail":
                society.policy.check(replies)
            said |= ok([agent], replies)
    except Stop:
        pass
    return winner(society, said)


def racing(ctx: Context, society: Society) -> Program:
    """The first to answer is answered by everybody else."""
    said: dict[str, Reply] = {}
    try:
        done = yield AnyOf([ask(society, agent, "") for agent in society.agents])
        while done:
            if society.policy.kind == "fail":
                society.policy.check([one.result for one in done])
            said |= ok([one.effect.agent for one in done], [one.result for one in done])
            done = yield AnyOf()
    except Stop as stop:
        said |= ok([one.effect.agent for one in stop.results], [one.result for one in stop.results])
    return next(iter(said.values())).value if said else None


def trusting(ctx: Context, society: Society) -> Program:
    """Forgets that an agent may fail."""
    try:
        replies = yield [ask(society, agent, "") for agent in society.agents]
    except Stop as stop:
        return winner(society, ok(society.agents, stop.results))
    return max((reply.value for reply in replies), key=len)


def careless(ctx: Context, society: Society) -> Program:
    """Goes on over failures whatever the policy says."""
    try:
        replies = yield [ask(society, agent, "") for agent in society.agents]
    except Stop as stop:
        replies = stop.results
    return winner(society, ok(society.agents, replies))


def spendthrift(ctx: Context, society: Society) -> Program:
    """Two rounds, of which a spent budget leaves nothing."""
    replies: Sequence[Reply] = ()
    for _ in range(2):
        replies = yield [ask(society, agent, "") for agent in society.agents]
        society.policy.check(replies)
    return winner(society, ok(society.agents, replies))


LOCK: list[str] = []


def locking(ctx: Context, society: Society) -> Program:
    """Leaves a lock behind when it is killed, and is another one when it finds one."""
    found = len(LOCK)
    LOCK.append(ctx.path)
    try:
        value = yield from rounds()(ctx, society._replace(agents=society.agents[found:] or society.agents))
    except (Stop, Failed):
        LOCK.clear()
        raise
    LOCK.clear()
    return value


def one_round(society: Society) -> int:
    return len(society.agents)


def made_up(society: Society, said: dict[str, Reply]) -> str:
    return "ANSWER: 42"


BROKEN: dict[str, tuple[Any, str]] = {
    "determinism": (rounds(counting), "two runs with one seed differ, first at run/1/solver-0"),
    "chance": (rounds(rolling), "with other global seeds, first at run/1/solver-"),
    "latency": (racing, "with other latencies"),
    "value": (rounds(end=made_up), "came to what nobody said: 'ANSWER: 42'"),
    "barrier": (in_turn, r"call 2 \(run/2/solver-1\), turn 1 of solver-1, holds what solver-0 said in turn 1"),
    "calls": (Topology(rounds(), one_round), "it counts 3 calls and makes 6"),
    "budget": (spendthrift, "with a budget of 1 of 6 calls it gave 1 answers and came to nothing"),
    "resume": (locking, "killed at call 1, it"),
}
WORDS: dict[str, tuple[Prompt, str]] = {
    "swapped": (swapping, "quotes solver-0 with words of solver-1"),
    "invented": (inventing, "quotes solver-0 with words it never said: 'I agree with everybody.'"),
    "unquoted": (blurting, "holds words of solver-1 outside a quotation"),
}
FAILING: dict[str, tuple[Callable[..., Program], str]] = {
    "trusting": (trusting, "with solver-0 failing and the policy 'skip' it raised TypeError"),
    "careless": (careless, "with solver-0 failing and the policy 'fail' it went on over 1 failed calls"),
    "standing in": (rounds(standing_in), "quotes solver-0 with words it never said: 'No answer.'"),
}


@pytest.mark.parametrize("promise", BROKEN)
def test_a_broken_promise_is_the_one_that_is_named(promise: str) -> None:
    LOCK.clear()
    topology, where = BROKEN[promise]
    with pytest.raises(AssertionError, match=f"^{promise}: .*{where}"):
        check_topology(topology, AGENTS, barrier=True)


@pytest.mark.parametrize("promise", ["latency", "value", "barrier", "calls", "budget"])
def test_and_no_other_one(promise: str) -> None:
    excused = {"latency": ("latency", "resume")}.get(
        promise, (promise, *(["budget", "failures"] if promise == "value" else []))
    )
    check_topology(BROKEN[promise][0], AGENTS, barrier=promise != "latency", excused=excused)


@pytest.mark.parametrize("kind", WORDS)
def test_words_that_are_not_their_owners_are_found(kind: str) -> None:
    prompt, where = WORDS[kind]
    with pytest.raises(AssertionError, match=f"^words: the prompt of call .*{where}"):
        check_topology(rounds(prompt), AGENTS)


@pytest.mark.parametrize("kind", FAILING)
def test_what_goes_wrong_when_agents_fail_is_found(kind: str) -> None:
    topology, where = FAILING[kind]
    with pytest.raises(AssertionError, match=f"^failures: .*{where}"):
        check_topology(topology, AGENTS)


def test_a_promise_that_is_not_known_cannot_be_excused() -> None:
    with pytest.raises(ValueError, match="did you mean 'resume'"):
        check_topology(debate, excused=["resumee"])


# --- reading prompts --------------------------------------------------------------------------------------------------


def test_a_prompt_falls_into_quotations_and_the_rest() -> None:
    content = "\n".join(("Read this:", quoted("a", "one\ntwo"), quoted("b", ""), "and answer.", "[not a head]"))
    pieces = [piece for piece in quotations(content) if piece[0]]
    assert pieces == [("a", "one\ntwo"), ("b", "")]
    assert ("", "and answer.") in list(quotations(content))
    assert ("", "[not a head]") in list(quotations(content))


def test_what_may_be_quoted_of_a_document_is_each_of_its_texts() -> None:
    assert sayings('{"why": "because", "n": [1, "two"]}')[1:] == ["because", "two"]
    assert sayings("<|im_start|>") != ["<|im_start|>"]  # as it would stand in a quotation: pulled apart


def test_marked_agents_answer_choices_too() -> None:
    request: Any = type("Request", (), {"output": Choice(("A", "B"))})()
    assert {marked(request, f"mark-00000000{at:04x}") for at in range(2)} == {"A", "B"}
