"""Workflows at work: who is asked what when, what goes on from a step, and what is left when something fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import swarmmind
from swarmmind.agents.prompts import speakers
from swarmmind.effects import TEXT, Agent, Choice, Limits
from swarmmind.errors import SpecError, UserError
from swarmmind.memory import Window, memory
from swarmmind.ports import Call, Memory, Request
from swarmmind.runtime.journal import content
from swarmmind.testing import check_topology
from swarmmind.topologies import TOPOLOGIES, Policy, Question, Society
from swarmmind.topologies.graphs.drawing import MAX_EDGES, MAX_NODES
from swarmmind.topologies.workflow.picture import picture
from swarmmind.topologies.workflow.steps import Step
from tests.runs.projects import asked, write_task

from .swarms import FAIL, SKIP, Said, calls, played
from .witness import Marked, results

DOWN = OSError("down")
QUORUM = Policy("quorum", 0.5)


def team(
    policy: Policy = SKIP, question: Question | None = None, remembers: Memory | None = None, **roles: int
) -> Society:
    """So many agents of each role: `worker-0`, `worker-1`, ..."""
    names = [(role, f"{role}-{at}") for role, count in roles.items() for at in range(count)]
    agents = [Agent(name, role, f"You are a {role}.", "m", index=at) for at, (role, name) in enumerate(names)]
    return Society(agents, remembers or Window(0), question or Question("How many?"), policy=policy)


def step(name: str, role: str | list[str], *inputs: str, **more: Any) -> dict[str, Any]:
    roles = [role] if isinstance(role, str) else role
    return {"name": name, "roles": roles, "inputs": list(inputs) or ["problem"], **more}


class Script(Said):
    """What each agent says, call by call, the last one for ever; requests are kept.

    Attributes:
        requests: with the second at which they were made, in the order asked.
    """

    def __init__(self, scripts: dict[str, Any], latency: dict[str, float] | None = None) -> None:
        listed = {name: one if isinstance(one, list) else [one] for name, one in scripts.items()}
        super().__init__(listed, latency)
        self.requests: list[tuple[float, Request]] = []

    def answer(self, request: Request, call: Call) -> Any:
        self.requests.append((call.now(), request))
        return super().answer(request, call)

    def who(self) -> list[str]:
        return [request.agent.id for _, request in self.requests]

    def prompt(self, name: str, at: int = 0) -> str:
        return self.heard[name][at][-1].content


def outcome(folder: Path, members: Society, model: Any, steps: Any, limits: Any = None) -> Any:
    return played(folder, "workflow", members, model, limits, steps=steps).outcome


def recorded(folder: Path, name: str) -> Any:
    rows = [json.loads(row[3]) for row in content(folder / "journal.sqlite") if row[0] == "record" and row[2] == name]
    assert len(rows) == 1
    return rows[0]


# --- what a step does -------------------------------------------------------------------------------------------------


def test_a_joined_step_asks_everybody_in_it_at_once_and_all_they_said_goes_on(tmp_path: Path) -> None:
    members = team(worker=2, validator=1, editor=1)
    steps = [
        step("draft", ["validator", "worker"], task="Write a plan."),
        step("finish", "editor", "draft", "problem", task="Finish it."),
    ]
    model = Script({"worker-0": "one", "worker-1": "two\nlines", "validator-0": "three", "editor-0": "ANSWER: 4"})
    seen = played(tmp_path, "workflow", members, model, steps=steps)
    assert seen.outcome.value == "ANSWER: 4"
    assert model.who() == ["validator-0", "worker-0", "worker-1", "editor-0"]
    assert {message.content for name in model.who()[:3] for message in model.heard[name][0][1:]} == {
        "How many?\n\nWrite a plan."
    }
    assert model.heard["editor-0"][0][0].content == "You are a editor."
    assert model.prompt("editor-0") == (
        "How many?\n\n"
        "This was written in the steps before this one:\n\n"
        "[validator-0, step draft]\n> three\n\n"
        "[worker-0, step draft]\n> one\n\n"
        "[worker-1, step draft]\n> two\n> lines\n\n"
        "Finish it.\n\n"
        "End with one line of the form `ANSWER: <your answer>`, with nothing after it."
    )
    assert list(speakers(model.prompt("editor-0"))) == ["validator-0", "worker-0", "worker-1"]


def test_of_a_vote_the_elected_answer_goes_on_under_its_authors_name(tmp_path: Path) -> None:
    steps = [step("pick", "worker", aggregate="vote"), step("finish", "editor", "pick")]
    model = Script(
        {"worker-0": "north", "worker-1": "so: ANSWER: South.", "worker-2": "south", "editor-0": "ANSWER: 1"}
    )
    outcome(tmp_path, team(worker=3, editor=1), model, steps)
    assert [second for second, _ in model.requests] == [0, 0, 0, 0]
    assert "[worker-1, step pick]\n> so: ANSWER: South.\n" in model.prompt("editor-0")
    assert list(speakers(model.prompt("editor-0"))) == ["worker-1"]


def test_refining_each_improves_what_the_one_before_wrote_and_the_last_one_goes_on(tmp_path: Path) -> None:
    steps = [
        step("look", "critic"),
        step("polish", "worker", "look", aggregate="refine", task="Polish."),
        step("finish", "editor", "polish"),
    ]
    scripts = {"worker-0": "first", "worker-1": "second", "worker-2": "third", "critic-0": "hm", "editor-0": "end"}
    model = Script(scripts, dict.fromkeys(scripts, 1.0))
    assert played(tmp_path, "workflow", team(critic=1, worker=3, editor=1), model, steps=steps).seconds == 5
    head = "How many?\n\nThis was written in the steps before this one:\n\n[critic-0, step look]\n> hm\n\n"
    improve = "Improve it: keep what is right, mend what is wrong, and answer with the whole of it.\n\n"
    assert model.prompt("worker-0") == f"{head}Polish."
    for reader, author, text in [("worker-1", "worker-0", "first"), ("worker-2", "worker-1", "second")]:
        so_far = f"This was written in this step so far:\n\n[{author}, step polish]\n> {text}\n\n"
        assert model.prompt(reader) == f"{head}{so_far}{improve}Polish."
    assert list(speakers(model.prompt("editor-0"))) == ["worker-2"]
    assert [request.observation.get("draft") for _, request in model.requests] == [
        None, None, ["worker-0", "first"], ["worker-1", "second"], None
    ]  # fmt: skip


def test_only_the_last_step_answers_the_question_in_its_form(tmp_path: Path) -> None:
    options = Choice(("left", "right"))
    steps = [step("think", "worker"), step("finish", "worker", "think", aggregate="vote")]
    model = Script({"worker-0": ["go left", "left"], "worker-1": ["go right", "right"], "worker-2": ["hm", "right"]})
    members = team(worker=3, question=Question("Where?", options))
    assert outcome(tmp_path, members, model, steps).value == "right"
    assert [request.output for _, request in model.requests] == [TEXT] * 3 + [options] * 3
    assert recorded(tmp_path, "votes") == {"left": 1, "right": 2}


def test_programs_are_told_the_same_as_values(tmp_path: Path) -> None:
    steps = [step("a", "worker", task="Look."), step("b", "editor", "a", "problem")]
    model = Script({"worker-0": "x", "worker-1": "y", "editor-0": "z"})
    outcome(tmp_path, team(worker=2, editor=1), model, steps)
    first = {"question": "How many?", "do": "step", "step": "a", "task": "Look.", "inputs": []}
    then = {**first, "step": "b", "task": "", "inputs": [["worker-0", "x"], ["worker-1", "y"]]}
    assert [request.observation for _, request in model.requests] == [first, first, then]


@pytest.mark.parametrize("aggregate", ["join", "vote"])
def test_a_deliverable_is_one_answer_of_several_the_most_frequent(tmp_path: Path, aggregate: str) -> None:
    model = Script({"worker-0": "ANSWER: 1", "worker-1": "so ANSWER: 2", "worker-2": "ANSWER: 2"})
    assert outcome(tmp_path, team(worker=3), model, [step("a", "worker", aggregate=aggregate)]).value == "so ANSWER: 2"


def test_by_default_each_role_is_a_step_that_reads_the_one_before(tmp_path: Path) -> None:
    members = team(worker=2, validator=3)
    model = Script(
        dict.fromkeys(("worker-0", "worker-1"), "plan") | {f"validator-{at}": f"{at // 2}" for at in range(3)}
    )
    assert outcome(tmp_path, members, model, None).value == "0"
    assert calls("workflow", members) == len(model.requests) == 5
    assert recorded(tmp_path, "votes") == {"0": 2, "1": 1}
    assert list(speakers(model.prompt("validator-2"))) == ["worker-0", "worker-1"]


# --- dataflow ---------------------------------------------------------------------------------------------------------

DIAMOND = [
    step("split", "a"),
    step("slow", "b", "split"),
    step("fast", "c", "split"),
    step("after", "d", "fast"),
    step("end", "e", "slow", "after"),
]


def test_a_step_begins_when_what_it_reads_is_there(tmp_path: Path) -> None:
    names = [f"{role}-0" for role in "abcde"]
    model = Script(dict.fromkeys(names, "x"), {**dict.fromkeys(names, 1.0), "b-0": 10.0})
    members = team(a=1, b=1, c=1, d=1, e=1)
    assert played(tmp_path, "workflow", members, model, steps=DIAMOND).seconds == 12
    assert {request.agent.id: second for second, request in model.requests} == {
        "a-0": 0, "b-0": 1, "c-0": 1, "d-0": 2, "e-0": 11
    }  # fmt: skip


def test_the_order_in_which_steps_but_the_last_are_listed_means_nothing(tmp_path: Path) -> None:
    found = []
    for at, listed in enumerate([DIAMOND, [*reversed(DIAMOND[:-1]), DIAMOND[-1]]]):
        folder = tmp_path / f"{at}"
        folder.mkdir()
        done = outcome(folder, team(a=1, b=2, c=1, d=1, e=3), Marked(), listed)
        found.append((done, results(folder)))
    assert found[0] == found[1]


def test_who_hears_whom_is_on_record(tmp_path: Path) -> None:
    steps = [
        step("a", "x", aggregate="refine"),
        step("b", ["x", "y"], "a"),
        step("c", "y", "problem", "a", "b", aggregate="vote"),
    ]
    members = team(x=2, y=1, idle=1)
    outcome(tmp_path, members, Script(dict.fromkeys(("x-0", "x-1", "y-0"), "z")), steps)
    assert recorded(tmp_path, "graph") == {
        "nodes": ["x-0", "x-1", "y-0"],
        "edges": [["x-0", "x-1"], ["x-1", "x-0"], ["x-1", "y-0"], ["x-0", "y-0"]],
        "left_out": {"nodes": 0, "edges": 0},
    }


def test_of_a_large_graph_a_part_is_on_record() -> None:
    many = [Agent(f"n{at}", "x") for at in range(MAX_NODES + 5)]
    steps = [Step(name="a", roles=("x",)), Step(name="b", roles=("x",), inputs=("a",))]
    data = picture(steps, {"a": many[:200], "b": many[200:]}).data
    assert (len(data["nodes"]), len(data["edges"])) == (MAX_NODES, MAX_EDGES)
    assert {end for edge in data["edges"] for end in edge} <= set(data["nodes"])
    assert data["left_out"] == {"nodes": 5, "edges": 200 * (MAX_NODES - 195) - MAX_EDGES}


# --- failing ----------------------------------------------------------------------------------------------------------

THREE = [
    step("draft", "worker"),
    step("check", "critic", "draft", aggregate="vote"),
    step("finish", "editor", "draft", "check", aggregate="refine"),
]


def script(**scripts: Any) -> Script:
    """Two workers, three critics and two editors, who say their names unless told otherwise."""
    names = [f"{role}_{at}" for role, count in {"worker": 2, "critic": 3, "editor": 2}.items() for at in range(count)]
    return Script({name.replace("_", "-"): scripts.get(name, f"ANSWER: {name}") for name in names})


def three(policy: Policy = SKIP, question: Question | None = None) -> Society:
    return team(policy, question, worker=2, critic=3, editor=2)


def test_who_fails_is_missing_and_nothing_stands_in_for_it(tmp_path: Path) -> None:
    model = script(worker_0=DOWN, critic_1=DOWN, editor_1=DOWN)
    assert outcome(tmp_path, three(), model, THREE).value == "ANSWER: editor_0"
    assert list(speakers(model.prompt("critic-0"))) == ["worker-1"]
    assert list(speakers(model.prompt("editor-1"))) == ["worker-1", "critic-0", "editor-0"]


def test_a_step_in_which_nobody_answers_gives_nothing_and_its_readers_go_on_with_the_rest(tmp_path: Path) -> None:
    silent = dict.fromkeys(("critic_0", "critic_1", "critic_2"), DOWN)
    model = script(**silent, editor_0=DOWN)
    assert outcome(tmp_path, three(), model, THREE).value == "ANSWER: editor_1"
    assert list(speakers(model.prompt("editor-0"))) == list(speakers(model.prompt("editor-1"))) == [
        "worker-0", "worker-1"
    ]  # fmt: skip
    assert "so far" not in model.prompt("editor-1")


@pytest.mark.parametrize(
    ("silent", "wanted"),
    [
        (["editor_0", "editor_1"], "ANSWER: 7"),
        (["editor_0", "editor_1", "critic_0", "critic_1", "critic_2"], "ANSWER: worker_0"),
    ],
)
def test_if_the_last_step_is_silent_the_latest_output_is_left(tmp_path: Path, silent: list[str], wanted: str) -> None:
    model = script(**{"critic_1": "ANSWER: 7", "critic_2": "ANSWER: 7", **dict.fromkeys(silent, DOWN)})
    assert outcome(tmp_path, three(), model, THREE).value == wanted


def test_of_words_before_the_last_step_only_an_option_is_an_answer_to_a_choice(tmp_path: Path) -> None:
    question = Question("Where?", Choice(("left", "right")))
    model = script(worker_1="ANSWER: right", editor_0=DOWN, editor_1=DOWN)
    assert outcome(tmp_path, three(question=question), model, THREE).value == "right"
    (tmp_path / "none").mkdir()
    none = outcome(tmp_path / "none", three(question=question), script(editor_0=DOWN, editor_1=DOWN), THREE)
    assert (none.value, none.failure.message[:24]) == (None, "0 of 2 agents answered a")


def test_nobody_at_all_is_a_failure(tmp_path: Path) -> None:
    model = Script(dict.fromkeys(script().scripts, DOWN))
    failed = outcome(tmp_path, three(), model, THREE).failure
    assert failed.message.startswith("0 of 2 agents answered and the policy 'skip' needs 1")
    assert len(model.requests) == 7


@pytest.mark.parametrize(
    ("down", "policy", "asked"),
    [
        (["worker_1"], FAIL, 2),
        (["critic_0"], FAIL, 5),
        (["editor_0"], FAIL, 6),  # the second one could not mend it
        (["worker_1"], QUORUM, 7),
        (["critic_0"], QUORUM, 7),
        (["critic_0", "critic_1"], QUORUM, 5),
        (["editor_0"], QUORUM, 7),
        (["editor_0", "editor_1"], QUORUM, 7),
        (["editor_0"], Policy("quorum", 0.6), 6),
    ],
)
def test_a_policy_that_wants_more_of_a_step_ends_it(
    tmp_path: Path, down: list[str], policy: Policy, asked: int
) -> None:
    model = script(**dict.fromkeys(down, DOWN))
    done = outcome(tmp_path, three(policy), model, THREE)
    assert len(model.requests) == asked
    enough = (down, policy) in [(["worker_1"], QUORUM), (["critic_0"], QUORUM), (["editor_0"], QUORUM)]
    assert (done.failure is None) == enough
    assert done.failure is None or f"the policy {policy.kind!r}" in done.failure.message


@pytest.mark.parametrize(
    ("affordable", "wanted"),
    [(0, None), (1, "worker_0"), (2, "worker_0"), (3, "critic_0"), (5, "critic_0"), (6, "editor_0"), (7, "editor_1")],
)
def test_a_budget_that_ends_it_early_keeps_the_latest_there_is(
    tmp_path: Path, affordable: int, wanted: str | None
) -> None:
    seen = played(tmp_path, "workflow", three(), script(), Limits(calls=affordable), steps=THREE)
    assert seen.outcome.value == (wanted and f"ANSWER: {wanted}")
    assert (seen.outcome.stopped, seen.outcome.failure) == ("calls" if affordable < 7 else None, None)
    assert seen.meter.usage.calls == affordable


def test_a_run_that_a_budget_ended_has_not_failed_whoever_has(tmp_path: Path) -> None:
    model = Script({"x-0": DOWN, "x-1": "ANSWER: 1"})
    done = outcome(tmp_path, team(x=2), model, [step("a", "x", aggregate="refine")], Limits(calls=1))
    assert (done.value, done.failure, done.stopped) == (None, None, "calls")


def test_a_budget_that_ends_a_slow_branch_keeps_what_comes_later_in_the_work(tmp_path: Path) -> None:
    names = [f"{role}-0" for role in "abcde"]
    for at, slow in enumerate(["b-0", "d-0"]):
        folder = tmp_path / f"{at}"
        folder.mkdir()
        model = Script({name: f"ANSWER: {name}" for name in names}, {**dict.fromkeys(names, 1.0), slow: 9.0})
        members = team(a=1, b=1, c=1, d=1, e=1)
        assert outcome(folder, members, model, DIAMOND, Limits(calls=4)).value == "ANSWER: d-0"


# --- remembering ------------------------------------------------------------------------------------------------------

TWICE = [
    step("first", "x"),
    step("left", ["x", "y"], "first"),
    step("right", ["x", "y"], "first"),
    step("end", "x", "left", "right"),
]


def test_what_is_remembered_in_a_step_is_what_the_steps_behind_it_left_and_what_was_there_before(
    tmp_path: Path,
) -> None:
    remembers = Window(100)
    members = team(x=1, y=1, remembers=remembers)
    model = Script({"x-0": ["1", "2", "3", "4"], "y-0": ["a", "b"]}, {"x-0": 1.0, "y-0": 5.0})
    outcome(tmp_path, members, model, TWICE)
    turns = [[each.content for each in heard if each.role == "assistant"] for heard in model.heard["x-0"]]
    assert turns == [[], ["1"], ["1"], ["1", "2", "3"]]
    assert [trace.text for trace in remembers.sense("x-0") if trace.kind == "assistant"] == ["1", "2", "3", "4"]
    (tmp_path / "next").mkdir()
    outcome(tmp_path / "next", members, model, TWICE)
    assert len(model.heard["x-0"][4]) == 1 + 2 * 4 + 1


def test_one_who_refines_senses_what_those_before_left_on_the_board(tmp_path: Path) -> None:
    members = team(x=2, remembers=memory("blackboard")())
    model = Script({"x-0": "written", "x-1": "ANSWER: 1"})
    outcome(tmp_path, members, model, [step("a", "x", aggregate="refine")])
    assert model.prompt("x-1").count("> written") == 2  # on the board, and as what is to be improved


@pytest.mark.parametrize("kind", ["window", "blackboard", "vectors"])
def test_what_is_remembered_does_not_depend_on_who_is_faster(tmp_path: Path, kind: str) -> None:
    steps, found = [*TWICE[:3], step("further", "x", "right"), step("end", "x", "left", "further")], []
    for at, slow in enumerate(["first", "left", "right"]):
        folder = tmp_path / f"{at}"
        folder.mkdir()
        members, model = team(x=2, y=1, remembers=memory(kind)()), Marked(lambda agent, key, s=slow: 1 + 9 * (s in key))
        found.append((outcome(folder, members, model, steps), results(folder), members.memory.snapshot()))
    assert found[0] == found[1] == found[2]


def test_a_budget_does_not_take_away_what_was_to_be_remembered(tmp_path: Path) -> None:
    remembers = Window(100)
    model = Script({"x-0": "said", "y-0": "said"})
    outcome(tmp_path, team(x=1, y=1, remembers=remembers), model, TWICE, Limits(calls=2))
    assert [trace.text for trace in remembers.sense("x-0") if trace.kind == "assistant"] == ["said"]


# --- as a part of the house -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("aggregate", ["join", "vote", "refine"])
def test_it_keeps_the_promises_of_topologies(aggregate: str) -> None:
    steps = [*TWICE[:3], step("end", ["y", "x"], "left", "problem", "right", aggregate=aggregate)]
    check_topology(TOPOLOGIES["workflow"], team(x=2, y=1, remembers=Window(20)), parameters={"steps": steps})


def test_steps_that_are_no_workflow_are_refused_before_anything_is_asked(tmp_path: Path) -> None:
    model, wrong = Script({"x-0": "?"}), [step("a", "z")]
    with pytest.raises(UserError, match=r"^steps: 0\.roles\.0: no agent has the role 'z'; known: x$"):
        calls("workflow", team(x=1), steps=wrong)
    with pytest.raises(UserError, match=r"^steps: 0\.roles\.0: "):
        outcome(tmp_path, team(x=1), model, wrong)
    assert model.requests == []


def test_a_mistake_in_a_task_file_has_a_place(work: Path) -> None:
    text = """\
problem: What is 2 + 3?
model: scripted
swarm:
  agents: {solver: 2}
  topology:
    use: workflow
    steps:
      - {name: a, roles: [solver], inputs: [a]}
score: {use: number, target: "5"}
"""
    (work / "task.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        swarmmind.run_sync(work / "task.yaml", env={})
    place, _, message = str(caught.value).partition(": ")
    assert Path(place).name == "task.yaml:8:7"
    assert message == "swarm.topology.steps: 0.inputs: steps wait for each other in a circle: a -> a"


def test_a_task_runs_with_a_workflow(work: Path) -> None:
    steps = [step("draft", "worker"), step("end", "validator", "draft", aggregate="vote", task="Check the drafts.")]
    topology = {"use": "workflow", "steps": steps}
    task = write_task(work, swarm={"agents": {"worker": 2, "validator": 3}, "topology": topology})
    result = swarmmind.run_sync(task, env={})
    assert (result.status, result.score, result.usage.calls) == ("finished", 1.0, 5)
    assert [key.split("/")[1:3] for key in sorted(asked(result.folder))] == [["draft", "1"]] * 2 + [["end", "1"]] * 3
