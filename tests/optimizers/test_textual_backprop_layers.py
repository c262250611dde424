"""The backward pass of Agentic Neural Networks: the whole first, then each layer by its own traces alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swarmmind.optimizers.parameters import ChoiceParameter, TextParameter, WorkflowParameter
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.study import Case, Scored, Step
from swarmmind.optimizers.textual_backprop.layer_requests import depths
from swarmmind.optimizers.textual_backprop.layers import MOST_LAYERS, asks, layered, layers
from tests.optimizers.hills import study
from tests.optimizers.passes import KIND, diamond, passed, texts

TEAM = {
    "roles": [{"name": "a", "responsibility": "all", "policy": "Be a."}],
    "steps": [{"name": "only", "roles": ["a"]}],
}


def critic(*blamed: int, **settings: str) -> Any:
    """The whole is bad in these layers; in a layer, everybody that is shown is at fault."""

    def said(observation: Any) -> dict[str, Any]:
        if observation["do"] == "criticize the whole":
            answer: dict[str, Any] = {"critique": "the advice", "layers": list(blamed)}
            named = settings
        else:
            answer, named = {}, dict.fromkeys(observation["parameters"], f"layer {observation['layer']}")
        critiques = [
            {"parameter": name, "kind": KIND, "subject": "it", "text": text}
            for name, text in named.items()
            if name in observation["parameters"]
        ]
        return {**answer, "critiques": critiques} if observation["parameters"] else answer

    return said


def step(agent: str, *heard: int) -> Step:
    return Step(agent, agent, "?", "!", heard)


def test_a_layer_is_one_deeper_than_what_it_heard_or_did_before() -> None:
    assert depths(diamond().run.steps) == [1, 2, 2, 3]
    assert depths([step("a"), step("b"), step("a"), step("c", 2, 1)]) == [1, 1, 2, 3]
    two = layered([diamond("one"), diamond("two")])
    assert [layer.number for layer in two] == [1, 2, 3]
    assert {name: [one.role for one in steps] for name, steps in two[1].steps.items()} == {
        "one": ["b", "c"],
        "two": ["b", "c"],
    }


def test_only_layers_at_fault_are_looked_into_and_their_critics_see_nothing_else(tmp_path: Path) -> None:
    got = passed(layers, "abcd", [diamond()], critic(2), tmp_path)
    assert [one["do"] for one in got.asked] == ["criticize the whole", "criticize a layer"]
    assert got.found == [
        Critique("b-text", "layer 2", KIND, "it", ("train-0",)),
        Critique("c-text", "layer 2", KIND, "it", ("train-0",)),
    ]
    [prompt] = [one for one in got.prompts if "one layer of a team" in one]
    for shown in ("> told b", "> said b", "> told c", "> said c", "> You are b.", "> You are c.", "> the advice"):
        assert shown in prompt
    for hidden in ("said a", "said d", "> told a", "You are a.", "You are d.", "it is wrong", "What is it?"):
        assert hidden not in prompt


def test_the_critic_of_the_whole_sees_the_trajectory_by_layers_and_no_instructions(tmp_path: Path) -> None:
    got = passed(layers, "abcd", [diamond()], critic(2), tmp_path)
    [prompt] = [one for one in got.prompts if "how a team worked" in one]
    for shown in (
        "[a-1, layer 1, a]\n> said a",
        "[b-1, layer 2, b]\n> said b",
        "[d-1, layer 3, d]\n> said d",
        "> it is wrong",
    ):
        assert shown in prompt
    assert "You are a." not in prompt


def test_without_a_layer_to_blame_all_are_looked_into(tmp_path: Path) -> None:
    got = passed(layers, "abcd", [diamond(), diamond("train-1")], critic(9), tmp_path)
    assert [one.get("layer") for one in got.asked] == [None, 1, 2, 3]
    assert [one.parameter for one in got.found] == ["a-text", "b-text", "c-text", "d-text"]
    assert {one.cases for one in got.found} == {("train-0", "train-1")}


def test_a_layer_with_nothing_to_change_has_no_critic(tmp_path: Path) -> None:
    got = passed(layers, "d", [diamond()], critic(), tmp_path)
    assert [one.get("layer") for one in got.asked] == [None, 3]


def test_blamed_for_what_cannot_be_changed_nobody_is_criticized(tmp_path: Path) -> None:
    got = passed(layers, "d", [diamond()], critic(1), tmp_path)
    assert (len(got.asked), got.found) == (1, [])


def test_an_unreadable_critique_of_the_whole_is_no_advice(tmp_path: Path) -> None:
    def said(observation: Any) -> Any:
        return "hm" if observation["do"] == "criticize the whole" else critic()(observation)

    got = passed(layers, "abcd", [diamond()], said, tmp_path)
    assert [one.parameter for one in got.found] == ["a-text", "b-text", "c-text", "d-text"]
    assert all("critic of the whole" not in one for one in got.prompts if "one layer of a team" in one)


def test_a_critic_of_one_layer_cannot_blame_another(tmp_path: Path) -> None:
    def said(observation: Any) -> Any:
        answer = critic()(observation)
        for one in answer.get("critiques", ()):
            one["parameter"] = "d-text"
        return answer

    got = passed(layers, "abcd", [diamond()], said, tmp_path)
    assert [(one.parameter, one.text) for one in got.found] == [("d-text", "layer 3")]


def test_settings_are_judged_with_the_whole_and_a_team_with_both(tmp_path: Path) -> None:
    more = (ChoiceParameter("topology", ("chain", "ring")), WorkflowParameter("team"), TextParameter("motto"))
    values = {"topology": "chain", "team": TEAM, "motto": "Onward."}
    got = passed(layers, "", [diamond()], critic(3, topology="t", team="w"), tmp_path, more, **values)
    assert [(one.parameter, one.text) for one in got.found] == [("topology", "t"), ("team", "w"), ("team", "layer 3")]
    assert list(got.asked[0]["parameters"]) == ["topology", "team", "motto"]


def test_a_pass_has_a_bound(tmp_path: Path) -> None:
    steps = tuple(step("a", *([at - 1] if at else [])) for at in range(MOST_LAYERS + 5))
    got = passed(layers, "a", [Case("train-0", Scored(0.0, "!", steps=steps))], critic(), tmp_path)
    assert len(got.asked) == asks(study(texts("a"), {"a-text": "?"}), 1) == 1 + MOST_LAYERS
    assert asks(study((ChoiceParameter("topology", ("chain", "ring")),), {"topology": "chain"}), 1) == 1


def test_a_large_team_is_shown_to_the_critic_of_the_whole_in_part(tmp_path: Path) -> None:
    steps = tuple(Step(f"a-{at}", "a", "?", "x" * 4000) for at in range(200))
    got = passed(layers, "a", [Case("train-0", Scored(0.0, "!", steps=steps))], critic(9), tmp_path)
    [prompt] = [one for one in got.prompts if "how a team worked" in one]
    assert len(prompt) < 100_000
    assert prompt.count("characters left out") == 200
    [layer] = [one for one in got.prompts if "one layer of a team" in one]
    assert len(layer) < 150_000
    assert layer.count("characters left out") == 200
