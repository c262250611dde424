"""A study through the library's face: what it finds, what it writes, what it costs, how it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml

import swarmmind
from swarmmind.errors import SpecError
from swarmmind.intervals import interval
from swarmmind.runs.result import StudyResult
from swarmmind.runs.studies.plan import StudyPlan, make_study
from swarmmind.runs.studies.price import StudyPrice
from swarmmind.runs.studies.teams import Crew, Teams
from swarmmind.runtime.journal import content
from swarmmind.spec import load_task
from swarmmind.spec.cards import read_card
from swarmmind.testing import FakeEndpoint
from swarmmind.testing.fake_endpoint import Refusal

from .projects import asked, stored
from .studies import WORKER, answered, optimized, project, resumed, rules, served

BATCHES = """
from swarmmind.optimizers.study import Evaluate, Keep

def batches(ctx, study):
    ids = study.train.ids
    [seen] = yield [Evaluate(study.start[0], study.train, ids[:3])]
    child = study.start[0].child({"prompts.worker": "RULES: 5"})
    [seen] = yield [Evaluate(child, study.train, ids[1:])]
    yield [Keep(child, seen)]

def lucky(ctx, study):
    for rules in range(4):
        child = study.start[0].child({"prompts.worker": f"RULES: {rules}"})
        [seen] = yield [Evaluate(child, study.validate, study.validate.ids)]
    yield [Keep(child, seen)]
"""


def told(result: swarmmind.Result) -> StudyResult:
    assert result.study is not None
    return result.study


def rows(folder: Path) -> list[Any]:
    """All that a journal holds, whenever it came in."""
    return sorted(json.dumps(row, default=str) for row in content(folder / "journal.sqlite"))


def calls(folder: Path, *, within: str) -> int:
    return sum(within in key for key in asked(folder))


def test_it_finds_what_is_better_and_says_so_on_examples_nobody_has_seen(work: Path) -> None:
    server = FakeEndpoint(answered)
    result = optimized(project(work), server)
    study = told(result)
    assert (result.status, study.reason, study.changed) == ("finished", "finished", ["prompts.worker"])
    assert study.best is not None
    assert study.best.values == {"prompts.worker": "RULES: 9"}
    assert study.best.note == "two more rules"
    assert study.held_out is not None
    assert study.held_out.gain is not None
    assert study.held_out.gain.n == 10
    assert study.held_out.gain.low is not None
    assert study.held_out.gain.low > 0.2
    assert result.score == study.held_out.best.mean if study.held_out.best else None
    assert (study.tried, study.kept, study.examples, study.missing) == (5, 5, 5 * 10 + 4 * 5, 0)
    assert study.evaluating is not None
    assert study.asking is not None
    assert (study.evaluating.calls, study.asking.calls) == (70 + 20, 8)
    assert result.usage.calls == server.answered == 98
    coverage = result.coverage
    assert coverage.planned == coverage.finished + coverage.failed + coverage.cancelled == 98
    assert set(coverage.roles) == {"worker", "reviewer", "editor"}
    assert stored(result.folder) == result.to_dict()
    assert (result.path / "optimize-report.html").is_file()


def test_no_editor_and_no_critic_ever_sees_an_example_that_is_not_for_learning(work: Path) -> None:
    seen: list[str] = []

    def listening(request: dict[str, Any]) -> str:
        if request["messages"][0]["content"].startswith(("You review", "You improve")):
            seen.append(request["messages"][1]["content"])
        return answered(request)

    result = optimized(project(work), FakeEndpoint(listening))
    keys = [key.rsplit("/", 3) for key in asked(result.folder)]
    problems = {f"What is {key[1].split('.')[1].split('-')[1]} + 3?" for key in keys if ".validate-" in "/".join(key)}
    tests = {f"What is {key[1].split('.')[1].split('-')[1]} + 3?" for key in keys if ".test-" in "/".join(key)}
    assert len(problems) == len(tests) == 10
    assert len(seen) == 8
    assert any("What is" in prompt for prompt in seen)
    assert not any(problem in prompt for prompt in seen for problem in problems | tests)


def test_the_winner_is_written_as_parts_that_run(work: Path) -> None:
    result = optimized(project(work))
    best = result.path / "best"
    assert told(result).parts == str(best)
    assert (best / "agents" / "worker.md").read_text() == WORKER.replace("RULES: 1", "RULES: 9")
    diff = (best / "best.diff").read_text()
    assert diff == (
        "--- start/agents/worker.md\n+++ best/agents/worker.md\n@@ -4,4 +4,4 @@\n description: Adds.\n"
        " sampling: {temperature: 0.5}\n ---\n-RULES: 1\n+RULES: 9\n"
    )
    assert {file.name for file in best.iterdir()} == {"agents", "best.diff", "climbing.py", "sums.jsonl", "task.yaml"}

    async def run(env: dict[str, str]) -> swarmmind.Result:
        return await swarmmind.run(best / "task.yaml", env=env)

    async def allowed(env: dict[str, str]) -> swarmmind.Result:
        return await swarmmind.run(best / "task.yaml", env=env, allow_code=True)

    with pytest.raises(SpecError, match="would run code"):
        served(FakeEndpoint(answered), run)
    assert served(FakeEndpoint(answered), allowed).score == pytest.approx(0.9)


def test_where_nothing_is_better_nothing_is_written(work: Path) -> None:
    def stubborn(request: dict[str, Any]) -> str:
        said = answered(request)
        return said.replace("RULES: 3", "RULES: 0")

    result = optimized(project(work), FakeEndpoint(stubborn))
    study = told(result)
    assert (study.changed, study.parts) == ([], None)
    assert study.best == study.start
    assert study.held_out is not None
    assert study.held_out.start == study.held_out.best
    assert calls(result.path, within="held-out") == 10  # once, not twice
    assert not (result.path / "best").exists()


@pytest.mark.parametrize("use", ["pso", "tpe"])
def test_numbers_of_the_task_are_found_without_a_critic(use: str, work: Path) -> None:
    if use == "tpe":
        pytest.importorskip("optuna")
    swarm = {"agents": [{"card": "solver", "count": 2, "parameters": {"accuracy": 0.2}}], "topology": "debate"}
    path = project(
        work,
        model="scripted",
        swarm=swarm,
        optimize={
            "use": use,
            "parameters": [
                {"path": "swarm.agents.0.parameters.accuracy", "low": 0.1, "high": 1.0},
                {"path": "swarm.topology.rounds", "low": 1, "high": 3, "integer": True},
                {"path": "swarm.on_failure", "options": ["skip", "fail"]},
            ],
            **({"particles": 4, "iterations": 3} if use == "pso" else {"trials": 12}),
        },
    )
    result = optimized(path)
    study = told(result)
    assert study.start.values["swarm.topology.rounds"] == 3  # the part's own
    assert study.held_out is not None
    assert study.held_out.gain is not None
    assert study.held_out.gain.mean > 0.2
    assert study.asking is not None
    assert study.asking.calls == 0
    data = json.loads(json.dumps(study.best.values if study.best else {}))
    again = swarmmind.run_sync(result.path / "best" / "task.yaml", env={})
    assert again.score is not None
    assert again.score > 0.4
    assert f"accuracy: {data['swarm.agents.0.parameters.accuracy']}" in (result.path / "best/task.yaml").read_text()


def test_a_task_with_a_study_simply_runs(work: Path) -> None:
    async def run(env: dict[str, str]) -> swarmmind.Result:
        return await swarmmind.run(project(work), env=env, allow_code=True)

    result = served(FakeEndpoint(answered), run)
    assert (result.status, result.usage.calls, result.study) == ("finished", 40, None)
    assert result.score == pytest.approx(0.1)


# --- worlds and workflows ---------------------------------------------------------------------------------------------


def test_every_example_of_a_world_is_a_world_of_its_own_and_candidates_share_it(work: Path) -> None:
    (work / "world.py").write_text(WORLD)
    path = project(
        work,
        model="scripted",
        problem={"environment": "./world.py:Dice"},
        score=None,
        swarm={"agents": {"solver": 1}, "topology": "world"},
        optimize={
            "use": "pso",
            "parameters": [{"path": "sampling.temperature", "low": 0.0, "high": 1.5}],
            "train": 3,
            "validate": 2,
            "test": 2,
            "particles": 2,
            "iterations": 2,
        },
    )
    result = optimized(path)
    study = told(result)
    assert study.train is not None
    assert study.train.start is not None
    assert study.train.start.n == 3
    seeds = json.loads((work / "seeds.json").read_text())
    assert len(set(seeds)) == 3 * 2 + 2 + 2 + 1  # two iterations measure afresh; and one of the price
    assert len(seeds) > len(set(seeds))  # whoever is measured, it is in the same worlds
    assert result.status == "finished"


WORLD = """
import json, pathlib
from swarmmind.effects import Message, TEXT
from swarmmind.ports import Turn

class Dice:
    agents = ["a"]
    rounds = 1
    def reset(self, seed):
        self.seed, self.done, self.score = seed, False, 0.0
        file = pathlib.Path("seeds.json")
        file.write_text(json.dumps([*(json.loads(file.read_text()) if file.exists() else []), seed]))
    def turns(self):
        return {"a": Turn((Message("user", f"World {self.seed}"),), None, TEXT)}
    def step(self, replies):
        self.done, self.score = True, float(self.seed % 100)
    def frame(self):
        return {"round": int(self.done), "score": self.score}
    def metrics(self):
        return {"seed": float(self.seed)}
"""


def test_a_workflow_is_rewritten_run_and_written_whole(work: Path) -> None:
    team = {
        "roles": [
            {"name": "worker", "responsibility": "Adds.", "policy": "RULES: 1"},
            {"name": "checker", "responsibility": "Checks: it's 'quoted'", "policy": "RULES: 8"},
        ],
        "steps": [
            {"name": "draft", "roles": ["worker"], "task": "Add."},
            {"name": "check", "roles": ["checker"], "inputs": ["draft"], "task": "Check."},
        ],
    }

    def rewriting(request: dict[str, Any]) -> str:
        if request["messages"][0]["content"].startswith("You improve"):
            return json.dumps({"value": json.dumps(team), "note": "somebody checks"})
        return answered(request)

    path = project(
        work,
        swarm={"agents": {"worker": 2}, "topology": "workflow"},
        optimize={"parameters": ["workflow"], "steps": 1},
    )
    result = optimized(path, FakeEndpoint(rewriting))
    study = told(result)
    assert study.changed == ["workflow"]
    best = result.path / "best"
    assert (best / "agents" / "worker.md").read_text() == WORKER
    assert read_card(best / "agents" / "checker.md").description == "Checks: it's 'quoted'"
    assert "topology: optimized" in (best / "task.yaml").read_text()
    assert "+++ best/agents/checker.md" in (best / "best.diff").read_text()
    assert "--- /dev/null" in (best / "best.diff").read_text()

    async def run(env: dict[str, str]) -> swarmmind.Result:
        return await swarmmind.run(best / "task.yaml", env=env, allow_code=True)

    again = served(FakeEndpoint(answered), run)
    assert (again.usage.calls, again.score) == (40 * 3, pytest.approx(0.8))
    assert set(again.coverage.roles) == {"worker", "checker"}


def test_a_graph_and_the_probabilities_of_edges_can_change(work: Path) -> None:
    (work / "mine.py").write_text(REWIRE)
    graph = {"nodes": ["a", "b", "c"], "edges": [["a", "b"], ["b", "c"]]}
    swarm = {"agents": {"solver": 3}, "topology": {"use": "macnet", "graph": graph}}
    changes = {"use": "./mine.py:rewire", "parameters": ["graph"], "train": 2, "validate": 0, "test": 0}
    result = optimized(project(work, model="scripted", swarm=swarm, optimize=changes))
    assert told(result).changed == ["graph"]
    written = yaml.safe_load((result.path / "best" / "task.yaml").read_text())["swarm"]["topology"]["graph"]
    assert written == {"nodes": ["a", "b", "c"], "edges": [["a", "c"], ["b", "c"]]}

    swarm = {"agents": {"solver": 2}, "topology": {"use": "gptswarm", "logits": {"solver-0 > solver-1": 3.0}}}
    changes = {**changes, "parameters": ["edges"]}
    result = optimized(project(work, model="scripted", swarm=swarm, optimize=changes))
    study = told(result)
    assert study.start.values["edges"]["solver-0 > solver-1"] == 3.0
    assert set(study.start.values["edges"].values()) == {3.0, 0.0}
    assert yaml.safe_load((result.path / "best" / "task.yaml").read_text())["swarm"]["topology"][
        "logits"
    ] == dict.fromkeys(study.start.values["edges"], 2.0)


REWIRE = """
from swarmmind.optimizers.study import Evaluate, Keep

def rewire(ctx, study):
    [parameter] = study.parameters
    if parameter.kind == "graph":
        assert parameter.check({"nodes": ["a", "b", "c"], "edges": [["a", "b"], ["b", "a"]]})
        value = {"nodes": ["a", "b", "c"], "edges": [["a", "c"], ["b", "c"]]}
    else:
        value = dict.fromkeys(parameter.edges, 2.0)
    child = study.start[0].child({parameter.name: value})
    [_, seen] = yield [Evaluate(one, study.train, study.train.ids) for one in (study.start[0], child)]
    yield [Keep(child, seen)]
"""


def test_sets_may_be_files_and_what_the_test_shares_with_them_is_said(work: Path) -> None:
    path = project(work, optimize={"train": "sums.jsonl", "validate": "mine.jsonl", "test": "mine.jsonl", "steps": 1})
    (work / "mine.jsonl").write_text('{"problem": "What is 0 + 3?", "target": "3"}\n' * 2)
    result = optimized(path)
    study = told(result)
    assert study.train is not None
    assert study.train.start is not None
    assert study.train.start.n == 40
    assert study.held_out is not None
    assert study.held_out.start == interval([1.0, 1.0], bounds=(0.0, 1.0))
    assert "1 problems of the test are also among the others" in result.warnings
    assert (result.path / "best").exists() == bool(study.changed)


def test_swarms_that_stand_for_agents_work_as_they_are(work: Path) -> None:
    inner = {"agents": {"worker": 2}, "topology": {"use": "vote", "samples": 2}}
    swarm = {"agents": [{"card": "solver", "swarm": inner}, {"card": "worker"}], "topology": "vote"}
    result = optimized(project(work, swarm=swarm, optimize={"steps": 1}))
    study = told(result)
    assert study.parameters == ["prompts.worker"]
    assert study.evaluating is not None
    assert study.asking is not None
    assert study.evaluating.calls + study.asking.calls == result.usage.calls
    assert result.coverage.roles["worker"].planned > 0


# --- what fails -------------------------------------------------------------------------------------------------------


def test_a_server_that_fails_gives_no_score_and_an_agent_that_babbles_gives_none_of_its_own(work: Path) -> None:
    failing = {"What is 4 + 3?", "What is 5 + 3?"}

    def flaky(request: dict[str, Any]) -> Any:
        if any(problem in request["messages"][-1]["content"] for problem in failing):
            return Refusal(400, "no")
        return answered(request)

    result = optimized(project(work, optimize={"train": 20, "validate": 20, "test": 0}), FakeEndpoint(flaky))
    study = told(result)
    assert result.status == "finished"
    assert study.missing > 0
    assert study.validate is not None
    assert study.validate.start is not None
    assert study.train is not None
    assert study.train.start is not None
    assert study.validate.start.n + study.train.start.n == 38
    assert any("have no score" in warning for warning in result.warnings)


def test_a_scorer_that_gives_no_score_is_named(work: Path) -> None:
    path = project(work, score={"use": "./mute.py:score"})
    (work / "mute.py").write_text("def score(output, target):\n    return None\n")
    result = optimized(path)
    assert (result.status, told(result).reason) == ("failed", "failed")
    assert result.error == "none of 10 examples could be scored; the first: the scorer gave no number"


def test_what_was_kept_before_an_outage_is_the_result(work: Path) -> None:
    answers = 0

    def dying(request: dict[str, Any]) -> Any:
        nonlocal answers
        answers += 1
        return Refusal(400, "gone") if answers > 40 else answered(request)

    result = optimized(project(work, optimize={"test": 0}), FakeEndpoint(dying))
    study = told(result)
    assert (result.status, study.reason) == ("failed", "failed")
    assert "could be scored" in (result.error or "")
    assert study.best is not None
    assert rules(study.best.values["prompts.worker"]) > 1
    assert (result.path / "best" / "task.yaml").is_file()


def test_values_that_make_no_team_score_nothing_and_are_not_run(work: Path) -> None:
    def filtering(request: dict[str, Any]) -> str:
        if request["messages"][0]["content"].startswith("You improve"):
            return json.dumps({"value": "RULES: 9 {{ id|round }}", "note": "odd"})
        return answered(request)

    card = WORKER + "You are {{ id }}.\n"
    result = optimized(project(work, card=card, optimize={"steps": 2}), FakeEndpoint(filtering))
    study = told(result)
    assert (result.status, study.changed, study.tried) == ("finished", [], 2)
    records = [row for row in content(result.path / "journal.sqlite") if "evaluation" in row]
    assert records


# --- walls, interruptions, resumes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wall", [22, 35, 50, 97])
def test_a_budget_is_a_wall_the_test_is_paid_for_and_more_of_it_goes_on(wall: int, work: Path) -> None:
    whole = optimized(project(work / "whole"))
    server = FakeEndpoint(answered)
    part = optimized(project(work / "part", budget={"calls": wall}), server)
    study = told(part)
    assert (part.status, part.stopped, study.reason) == ("stopped", "calls", "calls")
    assert server.received == part.usage.calls <= wall
    assert study.held_out is not None  # whatever it costs, it was set aside
    assert study.held_out.start is not None
    assert study.held_out.start.n == 10
    more = resumed(part.folder, overrides=["budget.calls=1000"])
    assert told(more).best == told(whole).best
    assert more.status == "finished"
    assert set(asked(whole.folder)) <= set(asked(more.folder))
    assert told(more).held_out == told(whole).held_out
    assert calls(more.path, within="search") == calls(whole.path, within="search")


JUMP = """
from swarmmind.effects import Ask
from swarmmind.optimizers.study import Evaluate, Keep

def poll(ctx, society, samples: int = 1):
    replies = yield [Ask(society.agents[0], (society.question.prompt(),)) for _ in range(samples)]
    return replies[0].value

def jump(ctx, study):
    child = study.start[0].child({"swarm.topology.samples": 9})
    [_, seen] = yield [Evaluate(one, study.validate, study.validate.ids) for one in (study.start[0], child)]
    yield [Keep(child, seen)]
"""


def test_a_winner_too_large_for_what_was_set_aside_is_tested_when_there_is_more(work: Path) -> None:
    (work / "mine.py").write_text(JUMP)
    samples = {"path": "swarm.topology.samples", "low": 1, "high": 9, "integer": True}
    changes = {"use": "./mine.py:jump", "parameters": [samples], "validate": 4, "test": 4}
    swarm = {"agents": {"solver": 1}, "topology": "./mine.py:poll"}
    part = optimized(project(work, model="scripted", swarm=swarm, budget={"calls": 50}, optimize=changes))
    assert (part.status, part.stopped, told(part).held_out) == ("stopped", "calls", None)
    assert part.usage.calls <= 50
    assert any("the held-out test was not made" in warning for warning in part.warnings)
    assert told(part).changed == ["swarm.topology.samples"]
    more = resumed(part.folder, overrides=["budget.calls=100"])
    assert (more.status, more.usage.calls) == ("finished", 40 + 40)
    held = told(more).held_out
    assert held is not None
    assert held.gain is not None
    assert held.gain.n == 4


@pytest.mark.parametrize("budget", [{"usd": 120}, {"tokens": 70_000}])
def test_where_agents_say_more_than_was_thought_more_is_set_aside(budget: dict[str, float], work: Path) -> None:
    def verbose(request: dict[str, Any]) -> str:
        said = answered(request)
        return "so " * 900 + said if "ANSWER" in said else said

    prices = {"vllm/m": {"prompt_usd_per_million": 1000, "completion_usd_per_million": 2000}}
    part = optimized(project(work, prices=prices, budget=budget), FakeEndpoint(verbose))
    assert (part.status, told(part).reason) == ("stopped", next(iter(budget)))
    held = told(part).held_out
    assert held is not None
    assert held.gain is not None
    assert held.gain.n == 10


def test_a_budget_that_the_test_alone_would_take_is_refused_before_anything_is_paid(work: Path) -> None:
    server = FakeEndpoint(answered)
    with pytest.raises(SpecError, match=r"task.yaml:1:\d+: budget.calls: the held-out test alone takes about 20 of 20"):
        optimized(project(work, budget={"calls": 20}), server)
    assert server.received == 0
    assert not (work / "runs").exists()


FUSED = """
import pathlib
def score(output, target):
    fuse = pathlib.Path("fuse")
    left = int(fuse.read_text())
    fuse.write_text(str(left - 1))
    if left == 0:
        raise RuntimeError("the light went out")
    return float(str(output).endswith(": " + target))
"""


@pytest.mark.parametrize("after", [6, 7, 17, 36, 75, 95])
def test_interrupted_anywhere_it_goes_on_to_the_same_journal_and_pays_nothing_twice(after: int, work: Path) -> None:
    def begun(name: str, fuse: int) -> Path:
        path = project(work / name, score={"use": "./fused.py:score"})
        (work / name / "fused.py").write_text(FUSED)
        (work / "fuse").write_text(str(fuse))
        return path

    whole = optimized(begun("whole", -1), runs="whole-runs")
    with pytest.raises(RuntimeError, match="the light went out"):
        optimized(begun("part", after), runs="part-runs")
    [folder] = (work / "part-runs").iterdir()
    assert stored(folder)["status"] == "crashed"
    server = FakeEndpoint(answered)
    before = len(asked(folder))
    again = resumed(folder, server)
    assert rows(folder) == rows(whole.path)
    assert server.received == 98 - before
    names = ("status", "score", "usage", "coverage", "warnings")
    assert all(getattr(again, name) == getattr(whole, name) for name in names)
    assert told(again).held_out == told(whole).held_out


def test_a_finished_study_is_replayed_without_a_call(work: Path) -> None:
    first = optimized(project(work))
    before = rows(first.path)
    server = FakeEndpoint(answered)
    again = resumed("last", server)
    assert (server.received, again.usage, rows(first.path)) == (0, first.usage, before)
    assert told(again) == told(first)


@pytest.mark.parametrize(
    "change",
    [
        "optimize.test=5",
        "optimize.train=4",
        "optimize.validate=9",
        "optimize.use=./climbing.py:climb",
        "optimize.parameters=[prompts.worker]",
        "score.use=exact",
        "problem.limit=39",
    ],
)
def test_a_study_does_not_go_on_as_another_one(change: str, work: Path) -> None:
    """With fewer examples to learn from, an example that was chosen by would be among those of the test."""
    part = optimized(project(work, budget={"calls": 60}))
    before = rows(part.path)
    with pytest.raises(SpecError, match="is not what the study was begun with; start a new one instead"):
        resumed(part.folder, overrides=["budget.calls=1000", change])
    assert rows(part.path) == before
    assert resumed(part.folder, overrides=["budget.calls=1000"]).status == "finished"


def test_patience_and_target_end_it_and_larger_ones_let_it_go_on(work: Path) -> None:
    whole = optimized(project(work / "whole"), runs="a")
    part = optimized(project(work / "part", optimize={"target": 0.4}), runs="b")
    assert told(part).reason == "target"
    more = resumed(part.folder, overrides=["optimize.target=2.0"])
    assert told(more).best == told(whole).best
    assert calls(more.path, within="search") == calls(whole.path, within="search")
    records = [row for row in content(more.path / "journal.sqlite") if row[0] == "record" and "search" in str(row)]
    expected = [row for row in content(whole.path / "journal.sqlite") if row[0] == "record" and "search" in str(row)]
    assert records == expected  # nothing is left of where it had ended


# --- the price --------------------------------------------------------------------------------------------------------


def priced(task: Path, **options: Any) -> tuple[StudyPlan, StudyPrice]:
    found: list[Any] = []

    class Enough(Exception):
        pass

    def stop(study: StudyPlan, price: StudyPrice) -> None:
        found.extend((study, price))
        raise Enough

    async def main() -> None:
        await swarmmind.optimize(task, env={}, allow_code=True, priced=stop, **options)

    with pytest.raises(Enough):
        anyio.run(main)
    return found[0], found[1]


def test_the_price_is_a_bound_that_is_known_before_the_start(work: Path) -> None:
    path = project(work)
    _, price = priced(path)
    assert (price.examples, price.asks, price.held_out, price.calls_each, price.counted) == (70, 8, 20, 1, True)
    assert price.calls == 98
    assert not (work / "runs").exists()
    assert optimized(path).usage.calls == price.calls


def test_the_price_is_that_of_the_largest_team_that_the_bounds_allow(work: Path) -> None:
    parameters = [
        {"path": "swarm.agents.solver", "low": 1, "high": 6, "integer": True},
        {"path": "swarm.topology.rounds", "low": 1, "high": 5, "integer": True},
    ]
    swarm = {"agents": {"solver": 2}, "topology": "debate"}
    study, price = priced(
        project(work, model="scripted", swarm=swarm, optimize={"use": "pso", "parameters": parameters})
    )
    assert study.evaluator.calls(study.study.start[0]) == 2 * 3
    assert (price.calls_each, price.counted, price.test_calls) == (6 * 5, True, 20 * 30)


def test_a_wall_of_examples_lowers_the_price_and_money_is_told_where_it_is_known(work: Path) -> None:
    rates = {"vllm/m": {"prompt_usd_per_million": 1.0, "completion_usd_per_million": 2.0}}
    _, price = priced(project(work, prices=rates, optimize={"max_examples": 30}))
    assert price.examples == 30
    assert price.cost_usd is not None
    assert price.cost_usd > 0
    assert price.test_usd is not None
    assert 0 < price.test_usd < price.cost_usd
    _, unknown = priced(project(work, optimize={"use": "./climbing.py:climb"}))
    assert (unknown.calls, unknown.examples) == (None, None)


def test_intervals_of_the_result_are_those_of_the_scores_in_the_journal(work: Path) -> None:
    study = told(optimized(project(work)))
    assert study.validate is not None
    assert study.validate.best is not None
    right = round(study.validate.best.mean * 10)
    assert study.validate.best == interval([1.0] * right + [0.0] * (10 - right), bounds=(0.0, 1.0))
    for means in (study.held_out, study.validate):
        assert means is not None
        for one, least in ((means.start, 0.0), (means.best, 0.0), (means.gain, -1.0)):
            assert one is not None
            assert one.low is not None
            assert one.high is not None
            assert least <= one.low < one.high <= 1.0


def test_start_and_winner_are_compared_on_the_same_examples_or_not_at_all(work: Path) -> None:
    optimize = {"use": "./batches.py:batches"}
    path = project(work, optimize=optimize)
    (work / "batches.py").write_text(BATCHES)
    study = told(optimized(path))
    assert study.validate is None
    assert study.train is not None
    assert study.train.start is not None
    assert study.train.best is not None
    assert study.train.gain is not None
    assert (study.train.start.n, study.train.best.n, study.train.gain.n) == (2, 2, 2)
    assert study.train.gain.mean == pytest.approx(study.train.best.mean - study.train.start.mean)


def test_a_winner_that_got_everything_right_may_be_lucky_too(work: Path) -> None:
    path = project(work, optimize={"use": "./batches.py:lucky", "test": 0})
    (work / "batches.py").write_text(BATCHES)

    def guessing(request: dict[str, Any]) -> str:
        user = request["messages"][1]["content"]
        number = int(user.split("What is ")[-1].split()[0])
        rows = request["messages"][0]["content"]
        return f"ANSWER: {number + 3 if 'RULES: 3' in rows or number % 2 else 0}"

    study = told(optimized(path, FakeEndpoint(guessing)))
    assert study.validate is not None
    assert study.validate.best is not None
    assert study.validate.best.mean == 1.0
    assert study.inflation is not None
    assert study.inflation > 0.05


def test_a_winner_that_was_likely_lucky_is_called_so(work: Path) -> None:
    swarm = {"agents": [{"card": "solver", "parameters": {"accuracy": 0.5, "nothing": 1.0}}], "topology": "solo"}
    path = project(
        work,
        model="scripted",
        swarm=swarm,
        optimize={
            "use": "pso",
            "parameters": [{"path": "swarm.agents.0.parameters.nothing", "low": 0.1, "high": 1.0}],
            "particles": 3,
            "iterations": 3,
            "remeasure": False,
            "validate": 0,
        },
    )
    result = optimized(path)
    study = told(result)
    assert study.inflation is not None
    assert study.inflation > 0.05
    if study.changed:
        assert any("from luck alone" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problem": "What is 1 + 1?", "score": {"use": "number", "target": 2}}, "problem: is one text; a study needs"),
        ({"swarm": {"agents": {"worker": 1}, "topology": {"use": "swarmsys"}}}, "as a whole|swarmsys"),
        (
            {"swarm": {"agents": {"worker": 1}, "topology": "solo", "memory": {"use": "longterm", "store": "a"}}},
            "outlives the run",
        ),
        ({"score": None}, "needs a 'score'"),
        ({"optimize": {"parameters": ["graph"]}}, "needs a topology with a graph of its own"),
        ({"optimize": {"parameters": ["edges"]}}, "needs the topology 'gptswarm', and the swarm has 'solo'"),
        ({"optimize": {"parameters": ["workflow"]}}, "needs the topology 'workflow', and the swarm has 'solo'"),
    ],
)
def test_what_cannot_be_a_study_is_one_line_with_its_place_and_no_folder(
    changes: dict[str, Any], message: str, work: Path
) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        optimized(project(work, **changes))
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.line
    assert not (work / "runs").exists()


def test_of_many_teams_the_last_ones_are_remembered() -> None:
    study = make_study(load_task(Path(__file__).parents[2] / "examples" / "optimize" / "task.yaml", env={}))
    teams, start = Teams(study.base, study.bounds, remembered=2), study.study.start[0]
    one, other, third = (start.child({"prompts.reader": text}) for text in ("A", "B", "C"))
    first = teams(one)
    assert teams(one) is first
    teams(other)
    assert teams(one) is first
    last = teams(third)
    assert teams(one) is first
    again = teams(other)
    assert isinstance(again, Crew)
    assert [agent.instructions for agent in again.team.agents][:1] == ["B"]
    assert teams(third) is not last
