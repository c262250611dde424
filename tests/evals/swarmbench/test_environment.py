from __future__ import annotations

import json
import random
import re

import pytest

from swarmmind.effects import Choice, Failure, Reply, Text
from swarmmind.errors import UserError
from swarmmind.evals.swarmbench import TASKS, Observation, SwarmBench
from swarmmind.ports import Environment


def play(world: SwarmBench, rounds: int, seed: int = 0, talk: bool = True) -> list[object]:
    """Random play; returns all frames."""
    rng = random.Random(seed)
    frames: list[object] = []
    for _ in range(rounds):
        if world.done:
            break
        replies: dict[str, Reply | None] = {}
        for name, turn in world.turns().items():
            words = f"ACTION: {rng.choice(turn.observation.actions)}"
            replies[name] = Reply(text=words + (f"\nMSG: {name} was here" if talk else ""))
        world.step(replies)
        frames.append(world.frame())
    return frames


@pytest.fixture(params=sorted(TASKS))
def task(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_is_an_environment(task: str) -> None:
    world: Environment = SwarmBench(task)
    assert list(world.agents) == [f"Agent_{i}" for i in range(12)]
    assert world.rounds == 100
    assert world.score == 0
    assert not world.done


def test_equal_seeds_and_replies_give_equal_games(task: str) -> None:
    one, other = SwarmBench(task), SwarmBench(task)
    one.reset(5)
    play(other, 3)
    other.reset(5)
    assert play(one, 20) == play(other, 20)
    assert one.metrics() == other.metrics()
    assert one.turns() == other.turns()


def test_the_seed_changes_the_layout_except_in_flocking(task: str) -> None:
    world = SwarmBench(task)
    world.reset(1)
    first = world.frame()["grid"]
    world.reset(2)
    assert (world.frame()["grid"] == first) == (task == "flocking")


def test_prompts_share_all_but_the_last_message(task: str) -> None:
    world = SwarmBench(task)
    before = list(world.turns().values())
    play(world, 4)
    turns = before + list(world.turns().values())
    shared = {tuple(id(message) for message in turn.messages[:-1]) for turn in turns}
    assert len(shared) == 1
    assert len({turn.messages[-1].content for turn in turns}) == len(turns)
    assert [message.role for message in turns[0].messages] == ["system", "user", "user"]


def test_reading_turns_changes_nothing(task: str) -> None:
    world, silent = SwarmBench(task), SwarmBench(task)
    for _ in range(6):
        world.turns()
        world.turns()
        for game in (world, silent):
            game.step({name: Reply(text="ACTION: UP\nMSG: hi") for name in game.agents})
    assert world.turns() == silent.turns()
    assert world.frame() == silent.frame()


def test_the_prompt_tells_what_the_observation_holds_and_hides_the_rest() -> None:
    world = SwarmBench("synchronization", agents=30, size=14)
    world.reset(3)
    play(world, 7)
    turn = world.turns()["Agent_4"]
    told: Observation = turn.observation
    tail = turn.messages[-1].content
    assert "Agent_4" in tail
    assert "round 7" in tail
    assert f"light_on: {told.status}" in tail
    assert len(told.view) == len(told.view[0]) == 5
    assert told.view[2][2] == "Y"
    assert told.corner == (told.position[0] - 2, told.position[1] - 2)
    assert len(told.past_views) == 4
    assert len(told.history) == 5
    for text in told.heard:
        assert f"- {text}" in tail
    header, *rows = tail.split("Your view now:\n")[1].split("\n")[:6]
    assert header.split() == [str(told.corner[1] + k) for k in range(5)]
    for k, row in enumerate(rows):
        assert row.split() == [str(told.corner[0] + k), *told.view[k]]
    shared = "\n".join(message.content for message in turn.messages[:-1])
    assert not {"14", "30", "100"} & set(re.findall(r"\d+", shared)), "size, number of agents and rounds are not told"


def test_views_show_what_is_around_for_odd_and_even_sizes() -> None:
    for size in (4, 5):
        world = SwarmBench("pursuit", agents=6, width=11, height=9, view=size)
        world.reset(4)
        frame = world.frame()
        names = {tuple(place): name for name, place in frame["agents"].items()}
        for name, turn in world.turns().items():
            i, j = frame["agents"][name]
            assert turn.observation.corner == (i - size // 2, j - size // 2)
            for a, row in enumerate(turn.observation.view):
                for b, symbol in enumerate(row):
                    y, x = i - size // 2 + a, j - size // 2 + b
                    if not (0 <= y < 9 and 0 <= x < 11):
                        assert symbol == "*"
                    elif (y, x) == (i, j):
                        assert symbol == "Y"
                    elif (y, x) in names:
                        assert symbol == names[y, x].removeprefix("Agent_")
                    else:
                        assert symbol == frame["grid"][y][x]


def test_messages_reach_half_a_view_and_are_heard_once() -> None:
    world = SwarmBench("synchronization", agents=9, size=12)
    world.reset(1)
    replies = {name: Reply(text=f"ACTION: STAY\nMSG: from {name}") for name in world.agents}
    world.step(replies)
    places = world.frame()["agents"]
    heard_something = False
    for name, turn in world.turns().items():
        near = [
            other
            for other in world.agents
            if max(abs(places[name][axis] - places[other][axis]) for axis in (0, 1)) <= 2
        ]
        assert list(turn.observation.heard) == [f"from {other}" for other in near]
        assert name in near
        heard_something |= len(near) > 1
    assert heard_something
    world.step({})
    assert all(turn.observation.heard == () for turn in world.turns().values())


def test_failed_and_missing_replies_are_no_action() -> None:
    world = SwarmBench("synchronization", agents=3)
    before = world.frame()
    world.step(
        {
            "Agent_0": None,
            "Agent_1": Reply(text="ACTION: SWITCH", failure=Failure("timeout", "too late")),
        }
    )
    after = world.frame()
    assert after["agents"] == before["agents"]
    assert after["state"]["light_on"] == before["state"]["light_on"]
    assert world.turns()["Agent_1"].observation.history == ((None, None),)
    assert "NONE" in world.turns()["Agent_1"].messages[-1].content


def test_choice_asks_for_an_action_alone() -> None:
    world = SwarmBench("synchronization", agents=2, actions="choice")
    turn = world.turns()["Agent_0"]
    assert turn.output == Choice(("UP", "DOWN", "LEFT", "RIGHT", "STAY", "SWITCH"))
    assert "MSG" not in turn.messages[1].content
    lights = world.frame()["state"]["light_on"]
    world.step({"Agent_0": Reply(text="SWITCH", value="SWITCH"), "Agent_1": Reply(text="MSG: hello", value=None)})
    assert world.frame()["state"]["light_on"] == [not lights[0], lights[1]]
    assert world.frame()["messages"] == {}


def test_strict_and_compatible_read_differently() -> None:
    for mode, switched in (("compatible", True), ("strict", False)):
        world = SwarmBench("synchronization", agents=2, mode=mode)  # pyright: ignore[reportArgumentType]
        assert isinstance(world.turns()["Agent_0"].output, Text)
        lights = world.frame()["state"]["light_on"]
        world.step({"Agent_0": Reply(text="I may SWITCH. ACTION: SWITCH it")})
        assert (world.frame()["state"]["light_on"][0] != lights[0]) == switched


def test_frames_are_json_and_metrics_are_numbers(task: str) -> None:
    world = SwarmBench(task)
    assert world.metrics() == {}
    frames = play(world, 5)
    assert json.loads(json.dumps(frames)) == frames
    frame = world.frame()
    assert frame["round"] == 5
    assert len(frame["grid"]) == len(frame["grid"][0]) == 10
    metrics = world.metrics()
    assert metrics["messages"] == 12
    assert 0 < metrics["move_entropy_bits"] <= 2
    assert metrics["cells_visited"] >= 12


def test_metrics_of_a_known_round() -> None:
    world = SwarmBench("synchronization", agents=2, size=9)
    world.reset(0)
    world.step(
        {
            "Agent_0": Reply(text="ACTION: STAY\nMSG: who? 12"),
            "Agent_1": Reply(text="ACTION: STAY\nMSG: me"),
        }
    )
    metrics = world.metrics()
    assert metrics["stay_share"] == 1
    assert metrics["question_share"] == 0.5
    assert metrics["digit_share"] == pytest.approx(2 / 9)
    assert metrics["message_length_mean"] == 4.5
    assert metrics["message_length_std"] == 2.5
    assert metrics["distance_travelled"] == 0
    assert metrics["polarization"] == 0
    for text in ("ACTION: LEFT", "ACTION: LEFT", "ACTION: LEFT"):
        world.step({name: Reply(text=text) for name in world.agents})
    assert world.metrics()["polarization"] == pytest.approx(3 / 4)
    assert world.metrics()["stay_share"] == pytest.approx(1 / 4)


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"task": "forraging"}, "did you mean 'foraging'"),
        ({"task": "pursuit", "agents": 26}, "26 agents do not fit on the 25 free start cells"),
        ({"task": "pursuit", "agents": 0}, "agents must be at least 1, got 0"),
        ({"task": "transport", "width": 4}, "width must be at least 6, got 4"),
        ({"task": "pursuit", "mode": "loose"}, "'loose'"),
        ({"task": "pursuit", "actions": "voice"}, "'voice'"),
        ({"task": "pursuit", "memory": 0}, "memory must be at least 1"),
    ],
)
def test_mistakes_are_one_line(settings: dict[str, object], hint: str) -> None:
    with pytest.raises(UserError, match=hint) as caught:
        SwarmBench(**settings)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(caught.value)


def test_an_unknown_name_in_the_replies_is_a_mistake() -> None:
    with pytest.raises(UserError, match="Agent_99"):
        SwarmBench("pursuit").step({"Agent_99": None})


def test_a_game_ends_after_its_rounds() -> None:
    world = SwarmBench("pursuit", rounds=3)
    play(world, 10)
    assert world.done
    assert world.frame()["round"] == 3


def test_a_thousand_agents_on_a_large_map() -> None:
    world = SwarmBench("synchronization", agents=1000, size=82)
    play(world, 2)
    turn = world.turns()["Agent_999"]
    rows = turn.messages[-1].content.split("Your view now:\n")[1].split("\n")[1:6]
    assert [row.split()[1:] for row in rows] == [list(row) for row in turn.observation.view]
