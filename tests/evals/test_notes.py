"""Notes in house style: a world in which instructions are what counts."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from swarmmind.effects import Agent
from swarmmind.evals.notes import HEAD, POLICIES, RULES, known, notes, right, unmet
from swarmmind.evals.notes.team import edited, worked
from swarmmind.optimizers.operations import apply
from swarmmind.optimizers.parameters import WorkflowParameter


def policy(role: str, instructions: str = "") -> Any:
    return POLICIES["notes"](Agent(f"{role}-0", role, instructions))


def test_a_team_that_knows_all_rules_is_right_nearly_always() -> None:
    rng, style = random.Random(1), " ".join(rule.words for rule in RULES)
    rows = notes(200, 3)
    hits = sum(worked(row["problem"].removeprefix(HEAD), style, rng) == row["target"] for row in rows)
    assert 180 <= hits <= 200
    assert sum(worked(row["problem"].removeprefix(HEAD), "", rng) == row["target"] for row in rows) == 0


def test_each_rule_concerns_some_notes_and_no_right_note_lacks_one() -> None:
    rows = notes(300, 5)
    for rule in RULES:
        concerned = sum(
            rule.apply(row["problem"].removeprefix(HEAD)) != row["problem"].removeprefix(HEAD) for row in rows
        )
        assert concerned >= 20
    assert all(unmet(row["target"]) == [] for row in rows)
    assert len({row["problem"] for row in rows}) == 300


def test_rules_are_followed_only_if_they_stand_in_the_instructions() -> None:
    note = "mtg w/ j ames tmrw at 3pm"
    said = policy("reader", "Write 'mtg' out as 'meeting'.")({"question": HEAD + note}, random.Random(0))
    assert said == "ANSWER: meeting w/ j ames tmrw at 3pm"
    assert right(note) == "Meeting with J. Ames tomorrow at 15:00."


@pytest.mark.parametrize("do", ["criticize the whole", "criticize a layer"])
def test_a_critic_of_right_work_finds_nothing(do: str) -> None:
    done = "Meeting with J. Ames tomorrow at 15:00."
    step = {"agent": "reader-0", "role": "reader", "prompt": "", "output": f"ANSWER: {done}"}
    seen = {"do": do, "cases": [{"output": done, "steps": [step]}], "parameters": {"prompts.reader": ""}, "advice": ""}
    said = json.loads(policy("critic")(seen, random.Random(0)))
    assert not said.get("critique")
    assert not said.get("critiques")


def test_a_critic_of_a_layer_blames_whose_business_it_is_for_what_the_whole_lacks() -> None:
    step = {"agent": "reader-0", "role": "reader", "prompt": "", "output": "ANSWER: mtg w/ j ames tmrw"}
    advice = policy("critic")(
        {"do": "criticize the whole", "cases": [{"output": "Mtg w/ J. Ames tmrw."}]}, random.Random(0)
    )
    seen = {
        "do": "criticize a layer",
        "cases": [{"steps": [step]}],
        "parameters": {"prompts.reader": "Write 'w/' out as 'with'."},
        "advice": json.loads(advice)["critique"],
    }
    [critique] = json.loads(policy("critic")(seen, random.Random(0)))["critiques"]
    assert (critique["parameter"], critique["subject"]) == ("prompts.reader", "mtg")


def test_an_editor_adds_what_is_asked_for_and_sometimes_loses_a_rule() -> None:
    wanted, there = RULES[0].words, RULES[1].words
    drafts = [edited(f"Be brief.\n- {there}", [f"Add: {wanted}"], random.Random(seed)) for seed in range(200)]
    assert all(RULES[0] in known(draft) for draft in drafts)
    assert 10 <= sum(RULES[1] not in known(draft) for draft in drafts) <= 60


def test_an_architect_writes_systems_and_moves_them_as_a_swarm_asks_for_it() -> None:
    architect, rng = policy("editor"), random.Random(2)
    parameter = WorkflowParameter("workflow")
    designs = [json.loads(architect({"do": "design"}, rng))["values"]["workflow"] for _ in range(40)]
    fine = [design for design in designs if not parameter.check(design)]
    assert 20 <= len(fine) < 40
    cause = architect({"do": "cause", "case": {"output": "ANSWER: Mtg today at 9:30."}}, rng)
    assert known(cause) == [RULES[0]]
    [flaw] = json.loads(architect({"do": "flaws", "causes": {"train-1": cause, "train-2": "A slip."}}, rng))["flaws"]
    assert flaw["examples"] == ["train-1"]
    values = {"workflow": {**fine[0], "roles": fine[0]["roles"][:1]}}
    role = values["workflow"]["roles"][0]["name"]
    seen = {
        "do": "fuse",
        "values": values,
        "flaws": [{**flaw, "failed": []}, {**flaw, "failed": [f"Tell {role}: {RULES[0].words}"]}],
    }
    plan = json.loads(architect(seen, rng))["adjustments"]
    assert plan == [{"flaw": 0, "adjustment": f"Tell {role}: {RULES[0].words}"}]
    seen = {"do": "apply", "values": values, "adjustments": [{"flaw": flaw, "adjustment": plan[0]["adjustment"]}]}
    moves = [json.loads(architect(seen, rng)) for _ in range(50)]
    told = [move["values"]["workflow"] for move in moves if move["done"]]
    assert 30 <= len(told) < 50
    new, problems = apply(fine[0], told[0], parameter)
    assert problems == []
    assert new is not None
    assert RULES[0].words in new["roles"][0]["policy"]


def test_critics_of_every_school_name_what_is_missing_and_pass_back_what_is_not_theirs() -> None:
    critic, rng = policy("critic"), random.Random(0)
    mtg, hour = RULES[0].words, RULES[4].words
    case = {"output": "ANSWER: Mtg with the board today at 3pm."}

    def said(**seen: Any) -> dict[str, Any]:
        return json.loads(critic(seen, rng))

    loss = said(do="judge", case=case)
    assert known(loss["requirement"]) == known(loss["critique"]) == [RULES[0], RULES[4]]
    assert "requirement" not in said(do="judge", case=case, step=2, role="clerk")
    step = {"role": "clerk", "instructions": "Be brief.", "requirements": [loss["requirement"]]}
    assert said(do="suggest", **step) | {"kind": ""} == {
        "suggestion": f"Add: {hour}",
        "kind": "",
        "subject": hour,
        "requirement": mtg,
    }
    assert said(do="suggest", **{**step, "instructions": hour})["suggestion"] == ""
    back = {"do": "trace-back", "role": "clerk", "critiques": [loss["critique"]]}
    own = said(**back, of={"instructions": True, "role": "clerk", "value": "Be brief."})
    read = said(**back, of={"instructions": False, "role": "reader", "value": case["output"]})
    assert (known(own["critique"]), known(read["critique"])) == ([RULES[4]], [RULES[0]])
    [found] = said(do="criticize", cases=[case], parameters={"prompts.reader": "", "prompts.proofreader": ""})[
        "critiques"
    ]
    assert (found["parameter"], found["text"]) == ("prompts.reader", f"Add: {mtg}")
    new = said(do="reflect", cases=[case], parameter="prompts.clerk", value="Be brief.")
    assert known(new["value"]) == [RULES[4]]
    rules = "\n- ".join(["Be brief.", *(rule.words for rule in RULES)])
    assert sorted(said(do="reword", value=rules)["value"].split("\n- ")) == sorted(rules.split("\n- "))
    team = {"roles": [{"name": "all", "responsibility": "", "policy": "Work."}], "steps": []}
    [change] = said(do="restructure", value=team, critiques=[{"text": mtg}])["operations"]
    assert (change["op"], known(change["policy"])) == ("update_role", [RULES[0]])
