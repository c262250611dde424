from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

import swarmmind
from swarmmind import Result
from swarmmind.errors import SpecError, UserError
from swarmmind.models.transports.aiohttp_transport import AiohttpTransport
from swarmmind.runtime.journal import content
from swarmmind.testing import FakeEndpoint

from .projects import SUMS, asked, stored, task, write_sums, write_task

KEY = "sk-test-0123456789abcdef"


def adds_up(result: Result) -> bool:
    coverage = result.coverage
    parts = [(c.planned, c.finished + c.failed + c.cancelled) for c in (coverage, *coverage.roles.values())]
    return all(planned == total for planned, total in parts) and coverage.planned == sum(
        role.planned for role in coverage.roles.values()
    )


def test_a_task_as_data_runs_to_a_scored_result_in_a_folder(work: Path) -> None:
    result = swarmmind.run_sync(task(), env={})
    assert (result.status, result.output, result.score) == ("finished", "The answer is 5.", 1.0)
    assert (result.usage.calls, result.coverage.planned, result.coverage.finished) == (3, 3, 3)
    assert adds_up(result)
    assert result.usage.cost_usd == 0.0
    assert result.path.parent == Path("runs")
    assert {file.name for file in result.path.iterdir()} >= {
        "task.yaml",
        "journal.sqlite",
        "result.json",
        "report.html",
    }
    assert stored(result.folder) == result.to_dict()


def test_a_file_and_the_same_data_give_the_same_run(work: Path) -> None:
    loose = task(model={"name": "scripted", "accuracy": 0.5}, swarm={"agents": {"solver": 9}, "topology": "debate"})
    path = write_task(work / "project", **loose)
    from_file, from_data = swarmmind.run_sync(path, env={}), swarmmind.run_sync(loose, env={})
    for name in ("output", "score", "usage", "coverage", "seed", "models", "topology"):
        assert getattr(from_file, name) == getattr(from_data, name)
    assert (from_file.name, from_data.name) == ("project", "run")


def test_the_stored_task_can_be_run_again(work: Path) -> None:
    write_sums(work)
    path = write_task(work, problem={"dataset": "sums.jsonl"}, score={"use": "number"})
    first = swarmmind.run_sync(path, overrides=["seed=3", "swarm.topology=debate"], env={})
    (work / "again.yaml").write_text((first.path / "task.yaml").read_text())
    again = swarmmind.run_sync(work / "again.yaml", env={})
    assert (again.output, again.seed, again.topology) == (first.output, 3, "debate")


def test_overrides_change_the_task_and_inputs_fill_the_problem(work: Path) -> None:
    path = write_task(work, problem="What is {{ a }} + {{ b }}?", inputs={"a": 1, "b": 2}, score=None)
    result = swarmmind.run_sync(
        path, inputs={"b": 40}, overrides=["swarm.topology=solo", "swarm.agents.solver=1"], env={}
    )
    assert (result.topology, result.usage.calls, result.score) == ("solo", 1, None)
    journal = (result.path / "journal.sqlite").read_bytes()
    assert b"What is 1 + 40?" in journal


def test_overrides_change_a_task_given_as_data_too(work: Path) -> None:
    data = task()
    result = swarmmind.run_sync(data, overrides=["seed=9", "swarm.agents.solver=1", "swarm.topology=solo"], env={})
    assert (result.seed, result.usage.calls, data) == (9, 1, task())
    with pytest.raises(UserError, match="sed"):
        swarmmind.run_sync(data, overrides=["sed=9"], env={})


def test_an_input_that_is_not_declared_is_refused_before_anything_is_made(work: Path) -> None:
    with pytest.raises(UserError, match=r"input 'c' is not declared by the task"):
        swarmmind.run_sync(task(problem="{{ a }}?", inputs={"a": 1}), inputs={"c": 1}, env={})
    with pytest.raises(UserError, match=r"input 'a' is not declared by the task; the task declares no 'inputs'"):
        swarmmind.run_sync(task(), inputs={"a": 1}, env={})
    assert list(work.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"swarm": {"agents": {"solver": 1}, "topology": {"use": "debate", "rounds": 0}}}, "rounds: .*greater than or"),
        ({"swarm": {"agents": {"solver": 1}, "topology": {"use": "vote", "samples": "x"}}}, "samples: .*valid integer"),
        (
            {"swarm": {"agents": {"solver": 1}, "topology": {"use": "vote", "sample": 3}}},
            "sample.*did you mean 'samples'",
        ),
        ({"swarm": {"agents": {"solver": 1}, "topology": "world"}}, "'world' plays an environment"),
        ({"score": {"use": "exactly", "target": 1}}, "unknown scorer 'exactly'; did you mean 'exact'"),
        ({"score": {"use": "exact"}}, "score: needs a 'target'"),
        ({"score": {"use": "number", "target": 1, "tolerance": -1}}, "must not be negative"),
        ({"problem": {"environment": "swarmbench/forage"}, "score": None}, "did you mean 'swarmbench/foraging'"),
        ({"model": "builtin/nobody", "score": None}, "nobody"),
        ({"budget": {"usd": 1.0}, "model": "vllm/x"}, "budget.usd: cannot be a wall without a price for 'vllm/x'"),
    ],
)
def test_what_only_the_parts_can_know_is_still_one_line_and_no_folder(
    changes: dict[str, Any], message: str, work: Path
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        swarmmind.run_sync(task(**changes), env={"VLLM_BASE_URL": "http://127.0.0.1:9/v1"})
    assert len(str(caught.value).splitlines()) == 1
    assert not (work / "runs").exists()


# --- data sets --------------------------------------------------------------------------------------------------------


def test_a_data_set_is_scored_by_the_mean_of_its_items(work: Path) -> None:
    write_sums(work, [*SUMS, ("What is 5 + 5?", "10")])
    wrong = {"name": "scripted", "accuracy": 0.0}
    groups = [{"card": "solver", "count": 1}]
    path = write_task(
        work, problem={"dataset": "sums.jsonl"}, score={"use": "number"}, swarm={"agents": groups, "topology": "solo"}
    )
    right = swarmmind.run_sync(path, env={})
    assert (right.score, right.output) == (1.0, [f"The answer is {t}." for t in ("2", "5", "8", "10")])
    assert swarmmind.run_sync(path, overrides=[f"model={json.dumps(wrong)}"], env={}).score == 0.0
    assert len(asked(right.folder)) == 4
    assert swarmmind.run_sync(path, overrides=["problem.limit=2"], env={}).coverage.planned == 2


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"problem": "a", "target": "1"}', "{nonsense"], "sums.jsonl:2:1: not JSON"),
        (['{"problem": "a", "target": "1"}', "", "[1]"], "sums.jsonl:3:1: must be an object with a column 'problem'"),
        (['{"problem": "a"}'], "sums.jsonl:1:1: must be an object with a column 'target'"),
        (['{"problem": "a", "target": null}'], "sums.jsonl:1:1: must be an object with a column 'target'"),
        (["[" * 100_000], "sums.jsonl:1:1: not JSON"),
        (['{"question": "a"}'], "sums.jsonl:1:1: must be an object with a column 'problem' .*got columns 'question'"),
        (["", "  "], "sums.jsonl:1:1: the data set is empty"),
    ],
)
def test_a_broken_line_of_a_data_set_is_named(lines: list[str], message: str, work: Path) -> None:
    path = write_task(work, problem={"dataset": "sums.jsonl"}, score={"use": "number"})
    (work / "sums.jsonl").write_text("\n".join(lines))
    with pytest.raises(SpecError, match=message) as caught:
        swarmmind.run_sync(path, env={})
    assert len(str(caught.value).splitlines()) == 1
    assert not (work / "runs").exists()


def test_odd_bytes_and_halves_of_characters_in_a_data_set_are_run_not_fatal(work: Path) -> None:
    path = write_task(work, problem={"dataset": "sums.jsonl"}, score=None)
    (work / "sums.jsonl").write_bytes(b'{"problem": "half \\ud800 \\u0000"}\n{"problem": "caf\xe9"}\n')
    result = swarmmind.run_sync(path, env={})
    assert (result.status, result.coverage.finished) == ("finished", 6)


SCRIPT = """
import random

class Half:
    '''Speaks about even sums only.'''
    def __call__(self, observation, rng):
        return "ANSWER: 2"

def picky(ctx, society):
    from swarmmind.effects import Ask
    from swarmmind.errors import Failed
    [reply] = yield [Ask(society.agents[0], (society.question.prompt(),), society.question.output)]
    if "4 + 4" in society.question.text:
        raise Failed("too hard")
    return reply.value

def crash(ctx, society):
    from swarmmind.effects import Ask
    yield [Ask(society.agents[0], (society.question.prompt(),))]
    raise ZeroDivisionError("a bug of the user")

def leave_a_trace(output, target):
    open("trace", "w").close()
    return float(target in output)
"""


def test_an_item_whose_agents_failed_is_left_out_of_the_mean_and_reported(work: Path) -> None:
    write_sums(work)
    (work / "mine.py").write_text(SCRIPT)
    path = write_task(
        work,
        problem={"dataset": "sums.jsonl"},
        score={"use": "number"},
        swarm={"agents": {"solver": 1}, "topology": "./mine.py:picky"},
    )
    result = swarmmind.run_sync(path, env={}, allow_code=True)
    assert (result.status, result.score) == ("finished", 1.0)
    assert result.output == ["The answer is 2.", "The answer is 5.", None]


# --- the user's code --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"swarm": {"agents": {"solver": 1}, "topology": "./mine.py:picky"}},
        {"score": {"use": "./mine.py:leave_a_trace", "target": "5"}},
    ],
)
def test_code_of_the_task_runs_only_if_it_may(changes: dict[str, Any], work: Path) -> None:
    (work / "mine.py").write_text("open('imported', 'w').close()\n" + SCRIPT)
    path = write_task(work, **changes)
    with pytest.raises(SpecError, match=r"would run code '\./mine\.py:.*pass --allow-code"):
        swarmmind.run_sync(path, env={})
    assert not (work / "imported").exists()
    result = swarmmind.run_sync(path, env={}, allow_code=True)
    assert (result.status, result.score) == ("finished", 1.0)
    assert (work / "imported").exists()


def test_a_bug_in_the_users_code_keeps_its_traceback_the_journal_and_a_result(work: Path) -> None:
    (work / "mine.py").write_text(SCRIPT)
    path = write_task(work, swarm={"agents": {"solver": 1}, "topology": "./mine.py:crash"})
    with pytest.raises(ZeroDivisionError, match="a bug of the user"):
        swarmmind.run_sync(path, env={}, allow_code=True)
    [folder] = (work / "runs").iterdir()
    result = stored(folder)
    assert (result["status"], result["error"]) == ("crashed", "ZeroDivisionError: a bug of the user")
    assert result["usage"]["calls"] == 1
    assert asked(folder) == ["run/1/solver-0"]


@pytest.mark.parametrize(("policy", "output"), [("skip", "The answer is 5."), ("fail", None)])
def test_a_budget_that_is_spent_stops_the_run_and_says_what_was_left_undone(
    policy: str, output: str | None, work: Path
) -> None:
    swarm = {"agents": {"solver": 4}, "topology": {"use": "vote", "samples": 4}, "on_failure": policy}
    result = swarmmind.run_sync(task(swarm=swarm, budget={"calls": 3}), env={})
    assert (result.status, result.stopped, result.output) == ("stopped", "calls", output)
    assert (result.coverage.planned, result.coverage.finished, result.coverage.cancelled) == (4, 3, 1)
    assert adds_up(result)
    assert result.undone == "1 of 4 calls were not made"


def test_the_makespan_ends_with_the_last_effect(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close = AiohttpTransport.close

    async def slow(transport: AiohttpTransport) -> None:
        await anyio.sleep(1.0)
        await close(transport)

    monkeypatch.setattr(AiohttpTransport, "close", slow)
    result = served(task(model="vllm/m"), FakeEndpoint(lambda request: "ANSWER: 5"))
    assert result.makespan_seconds < 1.0 <= result.seconds


# --- the cache, and the key -------------------------------------------------------------------------------------------


def served(data: dict[str, Any], server: FakeEndpoint, key: str = "") -> Result:
    """A run against a fake endpoint, in one event loop with it."""

    async def main() -> Result:
        async with server:
            env = {"VLLM_BASE_URL": server.base_url, **({"VLLM_API_KEY": key} if key else {})}
            return await swarmmind.run(data, env=env)

    return anyio.run(main)


def test_with_a_cache_a_second_run_pays_nothing_and_answers_the_same(work: Path) -> None:
    def reply(request: dict[str, Any]) -> str:
        return f"ANSWER: {request['seed'] % 1000}"

    data = task(model="vllm/m", cache=True)
    server = FakeEndpoint(reply)
    first = served(data, server)
    port = server.port

    async def again() -> Result:
        server = FakeEndpoint(reply)
        await server.start(port)
        try:
            result = await swarmmind.run(data, env={"VLLM_BASE_URL": server.base_url})
            assert server.received == 0
            return result
        finally:
            await server.stop()

    second = anyio.run(again)
    assert (first.usage.calls, second.usage.calls, second.charged.calls) == (3, 0, 0)
    assert first.output == second.output
    assert second.coverage == first.coverage


@pytest.mark.parametrize("sent", [KEY, "sk-wrong-fedcba9876543210"])
def test_the_key_is_in_no_file_of_a_run_not_even_when_the_server_echoes_it(sent: str, work: Path) -> None:
    server = FakeEndpoint(lambda request: f"ANSWER: 5, and my key is {KEY}", key=KEY)
    result = served(task(model="vllm/m"), server, sent)
    if sent == KEY:
        assert result.score == 1.0
    else:
        assert (result.status, result.coverage.failed) == ("failed", 3)
        assert server.statuses["401"] >= 1
        assert "401" in json.dumps(stored(result.folder))
    files = [file for file in work.rglob("*") if file.is_file()]
    assert len(files) >= 4
    assert not [file.name for file in files if sent.encode() in file.read_bytes()]


def test_inner_swarms_of_one_problem_do_not_remember_another(tmp_path: Path) -> None:
    (tmp_path / "sums.jsonl").write_text('{"problem": "1 + 1", "target": 2}\n{"problem": "2 + 3", "target": 5}\n')
    (tmp_path / "task.yaml").write_text(
        "problem: {dataset: sums.jsonl}\nmodel: scripted\nscore: {use: number}\n"
        "swarm:\n  agents: [{card: worker, swarm: {agents: {worker: 2}, topology: debate, memory: window}}]\n"
        "  topology: solo\n"
    )
    result = swarmmind.run_sync(tmp_path / "task.yaml", runs=tmp_path / "runs", env={})
    prompts = {row[1]: row[5] for row in content(result.path / "journal.sqlite") if row[0] == "result"}
    first = [prompt for key, prompt in prompts.items() if "/item-0/" in key]
    other = [prompt for key, prompt in prompts.items() if "/item-1/" in key]
    assert len(first) == len(other) == 6
    assert all("1 + 1" in prompt and "2 + 3" not in prompt for prompt in first)
    assert all("2 + 3" in prompt and "1 + 1" not in prompt for prompt in other)


WHOLE = """
from swarmmind.effects import Ask, Message
from swarmmind.topologies import Topology

def in_turn(ctx, society, laps: int = 1):
    outputs = []
    for lesson in society.lessons:
        [reply] = yield [Ask(society.agents[0], (Message("user", f"{lesson.kind}: {lesson.text}"),))]
        outputs.append(reply.value if society.judge(reply.value, lesson.target) else None)
    return outputs

school = Topology(in_turn, lambda society, laps=1: len(society.lessons), whole=True)
"""


def test_a_topology_may_take_a_data_set_whole_and_judge_as_it_goes(work: Path) -> None:
    (work / "school.py").write_text(WHOLE)
    rows = [{"problem": text, "target": target, "kind": "sum"} for text, target in SUMS]
    rows[1]["target"] = "6"
    (work / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    changes = {"problem": {"dataset": "sums.jsonl"}, "score": "number", "model": {"name": "scripted", "accuracy": 1.0}}
    swarm = {"agents": {"solver": 1}, "topology": "./school.py:school"}
    path = write_task(work, **changes, swarm=swarm)
    result = swarmmind.run_sync(path, env={}, allow_code=True)
    assert result.output == ["The answer is 2.", "The answer is 6.", "The answer is 8."]
    assert (result.score, result.coverage.planned) == (1.0, 3)
    prompts = [row[5] for row in content(result.path / "journal.sqlite") if row[2] == "Ask"]
    assert sum("sum: What is" in prompt for prompt in prompts) == 3
    items = [json.loads(row[3]) for row in content(result.path / "journal.sqlite") if row[2] == "item"]
    assert [row["score"] for row in items] == [1.0, 1.0, 1.0]


def test_several_memories_stand_side_by_side(work: Path) -> None:
    swarm = {"agents": {"solver": 2}, "topology": {"use": "debate", "rounds": 2}, "memory": ["window", "window"]}
    result = swarmmind.run_sync(task(swarm=swarm), env={})
    prompts = [row[5] for row in content(result.path / "journal.sqlite") if row[2] == "Ask"]
    assert max(prompt.count('"assistant"') for prompt in prompts) == 2  # each window shows the turn


def test_a_wrong_parameter_of_the_second_memory_is_said_with_its_place(work: Path) -> None:
    swarm = {"agents": {"solver": 2}, "topology": "debate", "memory": ["window", {"use": "window", "mesages": 3}]}
    with pytest.raises(SpecError, match="mesages: unknown parameter; did you mean 'messages'"):
        swarmmind.run_sync(task(swarm=swarm), env={})


@pytest.mark.parametrize(
    ("memory", "key", "value"),
    [
        ("window", "tokens", -1),
        ("blackboard", "per_author", 0),
        ("blackboard", "characters", 0),
        ("pheromone", "tokens", -1),
        ("pheromone", "per_author", 0),
        ("traces", "floor", -1),
    ],
)
def test_a_memorys_parameter_out_of_its_range_is_said_where_the_task_says_it(
    memory: str, key: str, value: Any, work: Path
) -> None:
    text = "problem: What?\nmodel: scripted\nswarm:\n  agents: {solver: 1}\n  topology: solo\n  memory:\n"
    (work / "task.yaml").write_text(f"{text}    use: {memory}\n    {key}: {value}\n")
    with pytest.raises(SpecError, match=rf"task\.yaml:8:\d+: {key}: ") as caught:
        swarmmind.run_sync(work / "task.yaml", env={})
    assert len(str(caught.value).splitlines()) == 1
    assert not (work / "runs").exists()


MEASURED = """
from swarmmind.effects import Ask, Record

def measured(ctx, society):
    yield [Ask(society.agents[0], (society.question.prompt(),)), Record("metrics", {"depth": 1, "words": "no number"})]
    yield [Record("metrics", {"depth": 2.5})]
    return "The answer is 5."
"""


def test_what_a_topology_measures_is_in_the_result_but_not_what_one_item_of_many_measures(work: Path) -> None:
    (work / "measured.py").write_text(MEASURED)
    swarm = {"agents": {"solver": 1}, "topology": "./measured.py:measured"}
    one = swarmmind.run_sync(write_task(work, swarm=swarm), env={}, allow_code=True)
    assert one.metrics == {"depth": 2.5}
    write_sums(work)
    many = write_task(work, swarm=swarm, problem={"dataset": "sums.jsonl"}, score="number")
    assert swarmmind.run_sync(many, env={}, allow_code=True).metrics == {}


def test_a_damaged_store_fails_a_run_of_many_problems_in_one_line(work: Path) -> None:
    write_sums(work)
    damaged = work / "damaged.sqlite"
    damaged.write_bytes(b"this is no store")
    swarm = {"agents": {"solver": 1}, "topology": "solo", "memory": {"use": "longterm", "store": "damaged.sqlite"}}
    result = swarmmind.run_sync(
        write_task(work, swarm=swarm, problem={"dataset": "sums.jsonl"}, score="number"), env={}
    )
    assert result.status == "failed"
    assert result.error is not None
    assert "damaged.sqlite: the store is damaged" in result.error
    assert "\n" not in result.error
    assert damaged.read_bytes() == b"this is no store"


def test_a_store_of_another_embedder_is_refused(work: Path) -> None:
    swarm = {"agents": {"solver": 1}, "topology": "solo", "memory": "longterm"}
    path = write_task(work, swarm=swarm)
    assert swarmmind.run_sync(path, env={}).status == "finished"
    other = swarmmind.run_sync(path, env={}, overrides=["embedder={name: hashing, dimensions: 128}"])
    assert other.status == "failed"
    assert other.error is not None
    assert "was made with the embedder" in other.error
    assert swarmmind.run_sync(path, env={}).status == "finished"


FAILING = """
from swarmmind.effects import Ask
from swarmmind.errors import Failed

def failing(ctx, society):
    yield [Ask(society.agents[0], (society.question.prompt(),))]
    if society.question.text != "What is 1 + 1?":
        raise Failed("out of ideas")
    return "The answer is 2."
"""


def test_a_data_set_of_which_every_problem_failed_is_a_failed_run(work: Path) -> None:
    (work / "failing.py").write_text(FAILING)
    swarm = {"agents": {"solver": 1}, "topology": "./failing.py:failing"}
    task_file = write_task(work, swarm=swarm, problem={"dataset": "sums.jsonl"}, score="number")
    write_sums(work)
    some = swarmmind.run_sync(task_file, env={}, allow_code=True)
    assert (some.status, some.score) == (
        "finished",
        1.0,
    )  # over those that have an answer; the items tell of the others
    write_sums(work, SUMS[1:])
    none = swarmmind.run_sync(task_file, env={}, allow_code=True)
    assert (none.status, none.error) == ("failed", "all 2 problems failed; the first: out of ideas")


def test_what_a_run_keeps_for_later_is_loaded_once_and_all_problems_begin_with_it(work: Path) -> None:
    write_sums(work)
    swarm = {"agents": {"solver": 1}, "topology": "solo", "memory": "longterm"}
    path = write_task(work, swarm=swarm, problem={"dataset": "sums.jsonl"}, score="number")
    for held in (0, 3):
        result = swarmmind.run_sync(path, env={})
        loads = [row for row in content(result.path / "journal.sqlite") if row[2] == "Load"]
        assert [len(json.loads(row[6]).get("items", [])) for row in loads] == [held]
        persisted = [row for row in content(result.path / "journal.sqlite") if row[2] == "Persist"]
        assert len(persisted) == 3 - held  # the same things again are nothing new
