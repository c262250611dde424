"""`--set` and `${NAME}`."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmmind.errors import SpecError
from swarmmind.spec import PartUse

from .conftest import TASK, Load


def test_values_are_yaml_and_later_ones_win(load: Load) -> None:
    task = load(overrides=["seed=3", "seed=4", "budget.calls=10", "budget.tokens=2M", "problem=a=b"]).task
    assert (task.seed, task.budget.calls, task.budget.tokens, task.problem) == (4, 10, 2_000_000, "a=b")


def test_a_scalar_replaces_a_mapping_and_the_other_way_round(load: Load) -> None:
    text = TASK.replace("vote", "{use: vote, samples: 3}")
    assert load(text, overrides=["swarm.topology=debate"]).task.swarm.topology == PartUse(use="debate")
    loaded = load(overrides=["swarm.topology={use: debate, rounds: 9}"])
    assert loaded.topology.parameters == {"rounds": 9}


def test_lists_and_keys_with_dots(load: Load) -> None:
    price = "{prompt_usd_per_million: 1, completion_usd_per_million: 1}"
    text = f"{TASK}  memory: [none, window]\nprices: {{openai/gpt-4.1: {price}}}\n"
    task = load(text, overrides=["swarm.memory.0=window", 'prices."openai/gpt-4.1".prompt_usd_per_million=2']).task
    assert [memory.use for memory in task.swarm.memory] == ["window", "window"]
    assert task.prices["openai/gpt-4.1"].prompt_usd_per_million == 2


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        ("swarm.topology=debat", "--set swarm.topology=...: swarm.topology: unknown topology 'debat' (looked in"),
        ("swarm.agents.worker=0", "--set swarm.agents.worker=...: swarm.agents.worker: must be at least 1, got 0"),
        (
            "swarm={agents: {worker: 0}, topology: solo}",
            "--set swarm=...: swarm.agents.worker: must be at least 1, got 0",
        ),
        ("sede=1", "--set sede=...: sede: unknown key; did you mean 'seed'?"),
        ("seed=[1", "--set seed=...: not valid YAML: the bracket opened in line 1 is not closed before this"),
        ("seed", "--set seed=...: must look like --set budget.calls=100"),
        ("=5", "--set =...: must look like --set budget.calls=100"),
        ("a..b=5", "--set a..b=...: must look like --set budget.calls=100"),
        ("name.x=1", "--set name.x=...: name is 'mine', which has no 'x'; set name as a whole"),
        ("model.base_url=x", "--set model.base_url=...: model.base_url: must be a URL such as"),
        ("swarm.memory.0.use=x", "--set swarm.memory.0.use=...: swarm.memory.0.use: unknown memory 'x'"),
        ("swarm.memory.2=x", "--set swarm.memory.2=...: swarm.memory is a list; its entries are 0 to 1, got '2'"),
        ("swarm.memory.x=x", "--set swarm.memory.x=...: swarm.memory is a list; its entries are 0 to 1, got 'x'"),
        ("model.api_key=hunter2", "--set model.api_key=...: model.api_key: secrets do not belong in files"),
        ("budget.password=hunter2", "--set budget.password=...: budget.password: secrets do not belong in files"),
        ("seed=sk-0123456789abcdef", "--set seed=...: seed: holds what looks like a secret (not shown here)"),
        ("sk-0123456789abcdef=1", "--set [hidden]=...: [hidden]: looks like a secret itself (not shown here)"),
        ("problem=${MY_TOKEN}", "--set problem=...: ${MY_TOKEN} looks like a secret"),
        ("problem=!!python/name:os.system", "--set problem=...: tags (!...) are not allowed"),
    ],
)
def test_mistakes_name_the_option(option: str, wanted: str, load: Load) -> None:
    with pytest.raises(SpecError) as caught:
        load(TASK + "  memory: [{use: none}, window]\nname: mine\n", overrides=[option])
    message = str(caught.value)
    assert message.startswith(wanted)
    assert len(message.splitlines()) == 1
    assert "hunter2" not in message
    assert "0123456789" not in message


def test_what_stood_there_is_no_longer_blamed(load: Load, project: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(TASK.replace("{worker: 3}", "{worker: 0}"), overrides=["swarm.agents={worker: -1}"])
    assert str(caught.value).startswith("--set swarm.agents=...: ")
    assert str(project) not in str(caught.value)


def test_the_place_of_what_is_gone_is_the_option(load: Load) -> None:
    loaded = load(TASK.replace("vote", "{use: vote, samples: 3}"), overrides=["swarm.topology=debate"])
    assert loaded.place(("swarm", "topology", "samples")) == "--set swarm.topology=..."


def test_a_task_that_is_no_mapping_cannot_be_set(load: Load) -> None:
    with pytest.raises(SpecError, match="the task is not a mapping"):
        load("- a\n", overrides=["seed=1"])


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a ${NAME} b", "a world b"),
        ("${NAME}${NAME}", "worldworld"),
        ("${GONE:-there}", "there"),
        ("${GONE:-}x", "x"),
        ("${EMPTY:-there}", "there"),
        ("${EMPTY}x", "x"),
        ("$${NAME}", "${NAME}"),
        ("$$${NAME}", "$${NAME}"),
        ("$NAME ${} ${1}", "$NAME ${} ${1}"),
        ("'${PORT}'", "80"),
    ],
)
def test_interpolation(written: str, read: str, load: Load) -> None:
    environment = {"NAME": "world", "EMPTY": "", "PORT": "80"}
    assert load(TASK.replace("What is 2 + 2?", written), env=environment).task.problem == read


def test_an_unquoted_reference_alone_may_be_a_number(load: Load) -> None:
    task = load(TASK + "seed: ${SEED}\nbudget:\n  calls: ${CALLS:-7}\n", env={"SEED": "12"}).task
    assert (task.seed, task.budget.calls) == (12, 7)


def test_a_variable_cannot_become_structure(load: Load) -> None:
    task = load(TASK.replace("What is 2 + 2?", "${X}"), env={"X": "{dataset: /etc/passwd}\nseed: 5"}).task
    assert task.problem == "{dataset: /etc/passwd}\nseed: 5"
    assert task.seed == 0


def test_a_variable_that_holds_a_secret_is_refused_unseen(load: Load) -> None:
    with pytest.raises(SpecError, match="problem: holds what looks like a secret") as caught:
        load(TASK.replace("What is 2 + 2?", "${X}"), env={"X": "sk-0123456789abcdef"})
    assert "0123456789" not in str(caught.value)


def test_what_is_set_below_a_text_makes_it_the_mapping_it_stands_for(load: Load) -> None:
    options = ["model.accuracy=0.5", "swarm.topology.rounds=2", "swarm.topology.use=debate"]
    task = load(TASK, overrides=options).task
    assert (task.model.name, task.model.accuracy) == ("scripted", 0.5)
    assert (task.swarm.topology.use, task.swarm.topology.parameters) == ("debate", {"rounds": 2})
