"""`swarmmind optimize` and what other commands say of studies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarmmind.optimizers import OPTIMIZERS
from swarmmind.runtime.journal import content
from swarmmind.testing import FakeEndpoint
from tests.runs.projects import asked, stored
from tests.runs.studies import answered, project

from .conftest import Command, Said
from .test_commands import is_refused, record

SWARMMIND = [sys.executable, "-m", "swarmmind"]


def tuning(folder: Path, **changes: Any) -> Path:
    """A study of numbers alone, with a pretended model."""
    swarm = {"agents": [{"card": "solver", "count": 2, "parameters": {"accuracy": 0.2}}], "topology": "debate"}
    optimize: dict[str, Any] = {
        "use": "pso",
        "parameters": [
            {"path": "swarm.agents.0.parameters.accuracy", "low": 0.1, "high": 1.0},
            {"path": "swarm.topology.rounds", "low": 1, "high": 3, "integer": True},
        ],
        "particles": 3,
        "iterations": 3,
        **changes.pop("optimize", {}),
    }
    given: dict[str, Any] = {"model": "scripted", "swarm": swarm, "optimize": optimize, **changes}
    return project(folder, **given)


def summary(said: Said) -> dict[str, str]:
    """The lines of the last words, by what stands before their colon."""
    return dict(line.strip().split(": ", 1) for line in said.out.splitlines() if ": " in line)


def test_it_tells_the_price_first_and_at_last_what_was_gained_and_how_to_run_it(swarmmind: Command, work: Path) -> None:
    tuning(work)
    said = swarmmind("optimize", "task.yaml", "--display", "none")
    assert said.code == 0
    lines = said.err.splitlines()
    assert lines[0] == "study: pso changes swarm.agents.0.parameters.accuracy, swarm.topology.rounds"
    assert lines[1] == "examples: 5 to learn from, 10 to choose by, 10 held out"
    assert lines[2].startswith(
        "takes at most: 105 runs of up to 6 calls, 20 held-out runs: 750 calls, if none has to be repeated"
    )
    told = summary(said)
    [folder] = (work / "runs").iterdir()
    result = stored(folder)
    assert told["gain on 10 held-out examples, with its 95 % interval"].startswith("+0.")
    held = result["study"]["held_out"]
    assert told["start"].startswith(f"{held['start']['mean']:.3f} [{held['start']['low']:.3f}, ")
    assert told["best"].startswith(f"{held['best']['mean']:.3f} ")
    for name, key in (("validation", "validate"), ("training", "train")):
        means = result["study"][key]
        both = [means[who] for who in ("start", "best")]
        if all(both):
            assert both[0]["n"] == both[1]["n"]
            assert told[f"{name}, {both[0]['n']} examples"].startswith(f"{both[0]['mean']:.3f} [")
        else:
            assert f"{name}, " not in said.out
    assert told["changed"].startswith("swarm.")
    command = told["run it"].split()
    assert command == ["swarmmind", "run", f"runs/{folder.name}/best/task.yaml"]
    assert record(swarmmind(*command[1:], "--json"))["score"] > 0.4
    assert (folder / "optimize-report.html").is_file()
    assert str(folder.relative_to(work) / "optimize-report.html") == told["report"]


def test_a_price_that_is_no_bound_does_not_claim_to_be_one(swarmmind: Command, work: Path) -> None:
    swarm = {"agents": {"solver": 1}, "topology": "workflow"}
    path = tuning(work, swarm=swarm, optimize={"use": "language-pso", "parameters": ["workflow"], "particles": None})
    said = swarmmind("check", str(path))
    assert said.code == 0, said
    [told] = [line for line in said.out.splitlines() if line.startswith("takes at most")]
    assert told.endswith(" calls, and more if the team grows")


def test_json_is_one_record_with_the_study_in_it(swarmmind: Command, work: Path) -> None:
    tuning(work)
    said = swarmmind("optimize", "task.yaml", "--json", "--set", "optimize.particles=2", "--runs", "elsewhere")
    data = record(said)
    assert data == stored(data["folder"])
    assert Path(data["folder"]).parent == Path("elsewhere")
    study = data["study"]
    assert study["optimizer"] == "pso"
    assert set(study["held_out"]["gain"]) == {"mean", "low", "high", "n"}
    assert {"id", "values", "note", "parents"} == set(study["best"])
    assert data["coverage"]["planned"] == data["coverage"]["finished"] == data["usage"]["calls"]


def test_a_budget_ends_it_cleanly_and_resume_goes_on(swarmmind: Command, work: Path) -> None:
    tuning(work, budget={"calls": 400})
    stopped = record(swarmmind("optimize", "task.yaml", "--json"))
    assert (stopped["status"], stopped["stopped"], stopped["study"]["reason"]) == ("stopped", "calls", "calls")
    assert stopped["usage"]["calls"] <= 400
    assert stopped["study"]["held_out"]["start"]["n"] == 10
    said = swarmmind("resume", "last")
    assert said.code == 0
    assert "limit reached: calls" in said.out
    assert f"resume: swarmmind resume {stopped['folder']}" in said.out
    more = record(swarmmind("resume", "last", "--json", "--set", "budget.calls=5000"))
    assert (more["run_id"], more["status"], more["study"]["reason"]) == (stopped["run_id"], "finished", "finished")
    tuning(work / "whole")
    whole = record(swarmmind("optimize", "whole/task.yaml", "--json", "--runs", "other"))
    assert more["study"]["best"] == whole["study"]["best"]
    assert set(asked(whole["folder"])) <= set(asked(more["folder"]))


def test_a_study_that_fails_exits_with_1(swarmmind: Command, work: Path) -> None:
    (work / "mine.py").write_text(
        "from swarmmind.errors import Failed\n"
        "def fail(ctx, society):\n    yield []\n    raise Failed('nobody\\nknows')\n"
        "def score(output, target):\n    return 1.0\n"
    )
    swarm = {"agents": {"solver": 1}, "topology": "./mine.py:fail"}
    parameters = [{"path": "sampling.temperature", "low": 0.0, "high": 1.0}]
    path = tuning(work, swarm=swarm, optimize={"parameters": parameters})
    said = swarmmind("optimize", str(path), "--json", "--allow-code")
    assert (said.code, record(said)["status"]) == (0, "finished")  # agents that come to nothing score 0
    assert record(said)["study"]["train"]["start"]["mean"] == 0.0
    assert record(said)["study"]["changed"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["optimize", "plain.yaml"], "has no 'optimize'"),
        (["optimize", "nothing.yaml"], "nothing.yaml: no such file"),
        (["optimize", "task.yaml", "--set", "optimize.use=psoo"], "unknown optimizer 'psoo'; did you mean 'pso'"),
        (["optimize", "task.yaml", "--set", "optimize.test=100"], "different rows, and the data set has 40"),
        (["optimize", "task.yaml", "--set", "optimize.use=./climbing.py:climb"], "would run code"),
        (["optimize", "task.yaml", "--set", "budget.calls=10"], "the held-out test alone takes about 120 of 10"),
        (["check", "task.yaml", "--set", "optimize.particles=1"], "optimize.particles"),
        (["optimize", "task.yaml", "--set", "optimize.patienc=5"], "unknown parameter; did you mean 'patience'"),
        (["optimize", "task.yaml", "--set", "optimize.validation=5"], "unknown parameter; did you mean 'validate'"),
        (["optimize", "task.yaml", "--set", "optimize.particels=5"], "unknown parameter; did you mean 'particles'"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, swarmmind: Command, work: Path
) -> None:
    tuning(work)
    (work / "plain.yaml").write_text("problem: x\nmodel: scripted\nswarm: {agents: {solver: 1}, topology: solo}\n")
    said = swarmmind(*arguments)
    assert is_refused(said, work), said
    assert message in said.err


def test_check_prices_the_study_beside_the_run(swarmmind: Command, work: Path) -> None:
    tuning(work, budget={"calls": 200}, optimize={"target": 0.9, "patience": 5, "test": 0})
    said = swarmmind("check", "task.yaml")
    assert said.code == 0
    assert "takes at most: 105 runs of up to 6 calls, 0 held-out runs: 630 calls" in said.out
    assert "ends early at: a score of 0.9, 5 candidates in a row that are no better, 200 calls" in said.out
    assert "warning: the study may take 630 calls, the budget allows 200; it stops there" in said.out
    assert "no held-out test" in said.out
    data = record(swarmmind("check", "task.yaml", "--json"))
    assert (data["study"]["calls"], data["estimate"]["calls"]) == (630, 240)
    assert len(set(data["warnings"])) == len(data["warnings"])
    assert not (work / "runs").exists()


def test_list_names_the_optimizers_and_studies_are_runs(swarmmind: Command, work: Path) -> None:
    tuning(work)
    folder = Path(record(swarmmind("optimize", "task.yaml", "--json"))["folder"])
    assert set(json.loads(swarmmind("list", "optimizers", "--json").out)["optimizers"]) == set(OPTIMIZERS)
    assert "finished, score" in json.loads(swarmmind("list", "runs", "--json").out)["runs"][folder.name]
    (work / folder / "optimize-report.html").unlink()
    shown = record(swarmmind("view", "last", "--json"))
    assert shown == {"report": str(work / folder / "optimize-report.html")}
    assert (work / folder / "optimize-report.html").is_file()


# --- as a process -----------------------------------------------------------------------------------------------------

KILLING = """
import os, pathlib, signal
def score(output, target):
    fuse = pathlib.Path("fuse")
    left = int(fuse.read_text())
    fuse.write_text(str(left - 1))
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return float(str(target) in str(output))
"""


def test_killed_it_goes_on_to_the_same_journal(work: Path) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [*SWARMMIND, *arguments, "--allow-code", "--json"]
        return subprocess.run(words, cwd=work, env=dict(os.environ), capture_output=True, text=True, timeout=60)

    tuning(work, score={"use": "./killing.py:score"})
    (work / "killing.py").write_text(KILLING)
    (work / "fuse").write_text("-1")
    whole = json.loads(command("optimize", "task.yaml", "--runs", "whole").stdout)
    (work / "fuse").write_text("60")
    killed = command("optimize", "task.yaml", "--runs", "part")
    assert killed.returncode == -signal.SIGKILL
    [folder] = [path for path in (work / "part").iterdir() if not path.name.startswith(".")]
    assert not (folder / "result.json").exists()
    again = json.loads(command("resume", str(folder)).stdout)
    assert list(content(folder / "journal.sqlite")) == list(content(work / whole["folder"] / "journal.sqlite"))
    assert (again["study"]["best"], again["usage"]) == (whole["study"]["best"], whole["usage"])
    assert (folder / "best" / "best.diff").read_text() == (work / whole["folder"] / "best" / "best.diff").read_text()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_ctrl_c_says_how_to_go_on(work: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    project(work)
    talking = anyio.Event()
    answers = 0

    def reply(request: dict[str, Any]) -> str:
        nonlocal answers
        answers += 1
        if answers == 25:  # in the second round of the search
            talking.set()
        return answered(request)

    server = FakeEndpoint(reply, latency_seconds=0.1)
    words = [*SWARMMIND, "optimize", "task.yaml", "--allow-code"]
    try:
        async with server:
            env = {**os.environ, "VLLM_BASE_URL": server.base_url}
            async with await anyio.open_process(words, cwd=work, env=env, stdin=subprocess.DEVNULL) as process:
                with anyio.fail_after(40):
                    await talking.wait()
                    process.send_signal(signal.SIGINT)
                    assert process.stderr is not None
                    told = b"".join([chunk async for chunk in process.stderr]).decode()
                    assert await process.wait() == 130
    finally:
        signal.signal(signal.SIGINT, before)
    [folder] = (work / "runs").iterdir()
    assert f"swarmmind resume runs/{folder.name} --allow-code" in told
    assert "Traceback" not in told
    assert stored(folder)["status"] == "interrupted"
    assert stored(folder)["study"]["reason"] == "interrupted"
