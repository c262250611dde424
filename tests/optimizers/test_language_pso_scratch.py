"""From a task in a few words, language-pso builds a team with its workflow; the team is checked, works and answers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from swarmmind.effects import Agent, Json, Program
from swarmmind.memory import Window
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.language_pso import language_pso, language_pso_most
from swarmmind.optimizers.language_pso.shapes import slug, tidied
from swarmmind.optimizers.parameters import TextParameter, WorkflowParameter
from swarmmind.optimizers.study import Scored, Study
from swarmmind.optimizers.tracing import Exchange, steps, watched
from swarmmind.ports import Context, Request
from swarmmind.runtime.journal import content
from swarmmind.testing.play import MODEL
from swarmmind.topologies import TOPOLOGIES, Question, Society
from tests.optimizers.hills import conducted, document, study

ABOUT = "Add up the prices on a receipt. What counts is that the sum is right."
TEAM = WorkflowParameter("team", max_roles=6, max_steps=6)
BARE = {
    "roles": [{"name": "worker", "responsibility": "works", "policy": "Work."}],
    "steps": [{"name": "step-1", "roles": ["worker"], "aggregate": "vote"}],
}


def role(name: str, policy: str = "Do your part.") -> dict[str, str]:
    return {"name": name, "responsibility": f"is the {name}", "policy": policy}


def step(name: str, who: str, *inputs: str, aggregate: str = "join") -> dict[str, Any]:
    return {"name": name, "roles": [who], "inputs": list(inputs), "aggregate": aggregate, "task": f"{name}!"}


def system(roles: list[Any], work: list[Any]) -> str:
    return document(values={"team": {"roles": roles, "steps": work}})


def adders(first: str = "reader") -> str:
    return system([role(first), role("adder")], [step("read", first), step("add", "adder", "read")])


class Office:
    """The model behind everybody: an architect with bad habits, a critic, an editor, and the team's workers.

    Attributes:
        asked: all requests, in order.
        designs: by particle, what the architect says, one after the other.
    """

    def __init__(self, designs: Mapping[int, list[str]]) -> None:
        self.asked: list[Request] = []
        self.designs = {at: list(said) for at, said in designs.items()}

    def __call__(self, request: Request, rng: random.Random) -> str:
        self.asked.append(request)
        seen = request.observation
        do: Mapping[str, Callable[[Request], str]] = {
            "design": lambda one: self.designs[seen["particle"]].pop(0),
            "cause": lambda one: "Nobody checks the sum.",
            "flaws": self._flaws,
            "fuse": lambda one: document(
                adjustments=[{"flaw": 0, "adjustment": "Let a checker check the sum in a last step."}]
            ),
            "apply": lambda one: self._apply(seen["values"]["team"]),
            "step": self._work,
        }
        return do[seen["do"]](request)

    def of(self, do: str, **where: Any) -> list[Request]:
        return [
            request
            for request in self.asked
            if request.observation["do"] == do and where.items() <= dict(request.observation).items()
        ]

    def _flaws(self, request: Request) -> str:
        behind = list(request.observation["causes"])
        flaw = {"parameter": "team", "kind": "missing step", "subject": "check", "text": "Nobody checks the sum."}
        return document(flaws=[{**flaw, "examples": behind}])

    def _apply(self, team: Any) -> str:
        last = team["steps"][-1]["name"]
        new = [
            {"op": "add_role", "name": "checker", "responsibility": "checks", "policy": "Check what you read."},
            {
                "op": "add_step",
                "name": "check",
                "roles": ["checker"],
                "inputs": [last],
                "aggregate": "vote",
                "task": "Check the sum.",
                "before": "",
            },
        ]
        return document(values={"team": new}, done=[{"adjustment": 0, "excerpt": "Check the sum."}])

    def _work(self, request: Request) -> str:
        """A sum is right once somebody has checked what somebody else added up."""
        seen = request.observation
        checked = request.agent.role == "checker" and request.agent.instructions and "sum" in str(seen["inputs"])
        return "ANSWER: 42" if checked else "the sum may be 41. ANSWER: 41"


class Works:
    """Scores a team by letting it work, through the topology `workflow`, on one question."""

    def __call__(self, one: Candidate, example: str, rep: int) -> Callable[[Context], Program]:
        team = one.values["team"]
        agents = [Agent(made["name"], made["name"], made["policy"], MODEL) for made in team["roles"]]
        question = f"Receipt {example}: what is the sum?"

        def program(ctx: Context) -> Program:
            seen: list[Exchange] = []
            society = Society(agents, Window(0), Question(question))
            answer = yield from watched(TOPOLOGIES["workflow"].program(ctx, society, steps=team["steps"]), seen)
            right = float(str(answer).endswith("42"))
            return Scored(right, answer, steps=steps(seen), question=question, target="42")

        return program

    def calls(self, one: Candidate) -> int:
        return len(one.values["team"]["steps"])


def from_scratch(**more: Any) -> Study:
    return study((TEAM,), {"team": BARE}, train=3, validate=0)._replace(about=ABOUT, **more)


NO_JSON = ["I would suggest a reader", "{'values': }", '{"values": {"team": {"roles": []}}}']
CIRCLE = system([role("reader")], [step("a", "reader", "b"), step("b", "reader", "a")])
CODE = system([role("reader", "Use {{ secret }}.")], [step("a", "reader")])
FENCED = f"Here you are:\n```json\n{adders('receipt-reader')}\n```"
UNTIDY = system(
    [role("Receipt Reader"), role("Crème adder (2)")],
    [step("read the receipt", "receipt reader"), step("add", "Crème adder (2)", "read the receipt", "problem")],
)


def test_a_team_is_built_from_words_and_answers(tmp_path: Path) -> None:
    office = Office({0: [UNTIDY], 1: [*NO_JSON, adders()], 2: [CIRCLE, adders()], 3: [CODE] * 3, 4: [FENCED]})
    end, _ = conducted(language_pso, from_scratch(), Works(), tmp_path / "j", answers=office, iterations=3)
    assert end.evaluation is not None
    assert (end.reason, end.evaluation.mean) == ("finished", 1.0)
    team = end.best.values["team"]
    assert TEAM.check(team) == []
    assert [one["name"] for one in team["roles"]][-1] == "checker"
    assert team["steps"][-1]["inputs"] == [team["steps"][-2]["name"]]
    answers = {case.run.output for case in end.evaluation.cases}
    assert answers == {"ANSWER: 42"}
    assert {step.role for step in end.evaluation.cases[0].run.steps} == {one["name"] for one in team["roles"]}


def test_each_system_has_its_temperature_and_is_asked_for_again_so_often_and_no_more(tmp_path: Path) -> None:
    office = Office({0: [UNTIDY], 1: [*NO_JSON, adders()], 2: [CIRCLE, adders()], 3: [CODE] * 3, 4: [FENCED]})
    end, _ = conducted(language_pso, from_scratch(), Works(), tmp_path / "j", answers=office, iterations=1)
    heat = {at: {one.sampling.temperature for one in office.of("design", particle=at)} for at in range(5)}
    assert heat == {0: {0.2}, 1: {0.4}, 2: {0.6}, 3: {0.8}, 4: {1.0}}
    assert [len(office.of("design", particle=at)) for at in range(5)] == [1, 4, 2, 3, 1]
    assert {request.observation["about"] for request in office.of("design")} == {ABOUT}
    names = [[one["name"] for one in found.values["team"]["roles"]] for found in end.candidates.values()]
    assert names == [["receipt-reader", "creme-adder-2"], ["reader", "adder"], ["worker"], ["receipt-reader", "adder"]]
    refused = [json.loads(row[3]) for row in content(tmp_path / "j") if row[0] == "record" and row[2] == "refused"]
    assert sorted(one["note"] for one in refused) == ["a new system", *["from scratch"] * 4]
    assert sum("circle" in str(one["problems"]) for one in refused) == 1
    told = office.of("design", particle=2)[1]
    assert "steps wait for each other in a circle" in told.messages[-1].content


def test_an_architect_is_told_what_a_team_is_and_nothing_of_the_start(tmp_path: Path) -> None:
    office = Office({0: [UNTIDY]})
    conducted(language_pso, from_scratch(), Works(), tmp_path / "j", answers=office, iterations=1, particles=1)
    [request] = office.of("design")
    prompt = request.messages[-1].content
    assert ABOUT in prompt
    for word in ('"join"', '"vote"', '"refine"', '["problem"]', "inputs", "policy", "circle", "1 to 6 roles"):
        assert word in prompt
    assert "Work." not in prompt
    assert isinstance(request.output, Json)
    open_objects = [one for one in objects(request.output.schema) if one.get("additionalProperties") is not False]
    assert open_objects == []
    assert all(set(one["required"]) == set(one["properties"]) for one in objects(request.output.schema))


def objects(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for each in schema for found in objects(each)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [found for each in schema.values() for found in objects(each)]


def test_every_reply_of_a_study_has_a_closed_form(tmp_path: Path) -> None:
    office = Office({0: [UNTIDY]})
    conducted(language_pso, from_scratch(), Works(), tmp_path / "j", answers=office, iterations=2, particles=1)
    outputs = {request.output.name: request.output for request in office.asked if isinstance(request.output, Json)}
    assert sorted(outputs) == ["flaws", "position", "system", "velocity"]
    for output in outputs.values():
        assert all(one["additionalProperties"] is False for one in objects(output.schema))


def test_a_team_that_somebody_thought_about_is_varied_and_its_own_first(tmp_path: Path) -> None:
    thought = {**BARE, "steps": [{"name": "add", "roles": ["worker"], "task": "Add.", "aggregate": "vote"}]}
    given = study((TEAM,), {"team": thought}, train=2, validate=0)._replace(about=ABOUT)
    office = Office({1: [adders()]})
    end, _ = conducted(language_pso, given, Works(), tmp_path / "j", answers=office, iterations=1, particles=2)
    start, varied = end.candidates.values()
    assert start.values["team"] == thought
    assert varied.parents == (start.id,)
    [request] = office.of("design")
    assert "Design one that goes about it in another way" in request.messages[-1].content
    assert '"task": "Add."' in request.messages[-1].content


@pytest.mark.parametrize(("scratch", "asks"), [(None, 5 * 3), (True, 5 * 3), (False, 4 * 3)])
def test_a_bare_team_is_where_scratch_begins_unless_it_is_said(scratch: bool | None, asks: int) -> None:
    assert language_pso_most(from_scratch(), iterations=1, scratch=scratch).asks == asks


def test_operations_that_are_refused_leave_the_team_as_it_is(tmp_path: Path) -> None:
    class Clumsy(Office):
        def _apply(self, team: Any) -> str:
            gone = {"op": "delete_step", "name": team["steps"][0]["name"]}
            return document(values={"team": [gone]}, done=[])

    office = Clumsy({0: [adders()]})
    end, _ = conducted(language_pso, from_scratch(), Works(), tmp_path / "j", answers=office, iterations=3, particles=1)
    assert end.tried == 1
    assert [bool(request.observation["refused"]) for request in office.of("apply")] == [False, True]


def test_texts_are_designed_too_and_what_is_no_text_stays(tmp_path: Path) -> None:
    rules = TextParameter("rules", placeholders=frozenset({"name"}))
    given = study((rules,), {"rules": "Hello {{ name }}."}, train=1, validate=0)
    office = Office({0: [document(values={"rules": "Dear all."}), document(values={"rules": "Dear {{ name }}."})]})

    class Fine(Works):
        def __call__(self, one: Candidate, example: str, rep: int) -> Any:
            return Scored(1.0)

    end, _ = conducted(
        language_pso, given, Fine(), tmp_path / "j", answers=office, iterations=1, particles=1, scratch=True
    )
    assert end.best.values == {"rules": "Dear {{ name }}."}
    assert "{{ name }}" in office.asked[0].messages[-1].content
    assert "lost the placeholder" in office.asked[1].messages[-1].content


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("worker", "worker"),
        ("Budget checker (2nd)", "budget-checker-2nd"),
        ("  2nd reader ", "nd-reader"),
        ("Crème", "creme"),
        ("x" * 50, "x" * 40),
        ("読者", "読者"),
        ("", ""),
    ],
)
def test_names_are_made_names(name: str, wanted: str) -> None:
    assert slug(name) == wanted


def test_what_is_tidy_already_stays_as_it_is() -> None:
    value = json.loads(adders())["values"]["team"]
    value["steps"][0]["inputs"] = ["problem"]
    assert tidied((TEAM,), {"team": value}) == {"team": value}
