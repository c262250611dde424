from __future__ import annotations

import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

from swarmmind.errors import UserError
from swarmmind.evals.swarmbench import TASKS, parallel_env


@pytest.mark.parametrize("talk", [False, True])
@pytest.mark.parametrize("task", sorted(TASKS))
def test_pettingzoos_own_checks(task: str, talk: bool, capsys: pytest.CaptureFixture[str]) -> None:
    parallel_api_test(parallel_env(task, agents=8, rounds=30, talk=talk), num_cycles=70)
    parallel_seed_test(lambda: parallel_env(task, agents=8, rounds=30, talk=talk), num_cycles=20)
    assert "Passed Parallel API test" in capsys.readouterr().out


def test_rewards_add_up_to_the_score_and_the_end_is_a_truncation() -> None:
    env = parallel_env("synchronization", agents=3, rounds=6)
    observations, _ = env.reset(seed=4)
    total = 0.0
    truncated: list[bool] = []
    while env.agents:
        clock = int(observations["Agent_0"]["round"][0]) % 2 == 0
        actions = {n: 4 if bool(observations[n]["status"][0]) == clock else 5 for n in env.agents}
        observations, rewards, terminations, truncations, _ = env.step(actions)
        total += rewards["Agent_1"]
        truncated.append(truncations["Agent_2"])
        assert not any(terminations.values())
    assert total == 6
    assert truncated == [False] * 5 + [True]


def test_what_is_said_is_heard_in_the_infos() -> None:
    env = parallel_env("synchronization", agents=2, talk=True)
    env.reset(seed=1)
    *_, infos = env.step({"Agent_0": (4, "hello"), "Agent_1": (4, "")})
    assert infos["Agent_0"]["heard"] == ("hello",)


def test_the_view_is_coded() -> None:
    env = parallel_env("foraging", agents=5)
    observations, _ = env.reset(seed=1)
    view = observations["Agent_2"]["view"]
    assert view.shape == (5, 5)
    assert view[2, 2] == 6
    assert "F" in env.render()
    with pytest.raises(UserError, match="'nothing'"):
        parallel_env("nothing")
