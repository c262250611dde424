from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from swarmmind.evals.environments import ENVIRONMENTS, POLICIES
from swarmmind.evals.scorers import SCORERS
from swarmmind.spec import task_schema
from tests.runs.projects import asked, stored, write_sums, write_task
from tests.spec.projects import make_project

from .conftest import Command, Said

BROKEN = sorted((Path(__file__).parents[1] / "fixtures" / "broken").glob("*.yaml"))
USAGE = {"calls", "prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd"}
COVERAGE = {"planned", "finished", "failed", "cancelled"}
RESULT = {"run_id", "status", "output", "score", "usage", "coverage", "seconds", "folder"}


def record(said: Said) -> dict[str, Any]:
    """The one line that `--json` prints."""
    [line] = said.out.splitlines()
    assert said.out.endswith("\n")
    return json.loads(line)


def is_refused(said: Said, work: Path) -> bool:
    """Exit code 2, one line on stderr, nothing on stdout, no run."""
    return (said.code, said.out, len(said.err.splitlines()), (work / "runs").exists()) == (2, "", 1, False)


# --- run and resume ---------------------------------------------------------------------------------------------------


def test_run_prints_what_came_out_and_where_it_is(swarmmind: Command, work: Path) -> None:
    write_task(work)
    said = swarmmind("run", "task.yaml")
    assert said.code == 0
    [folder] = (work / "runs").iterdir()
    assert "The answer is 5." in said.out
    assert folder.name in said.out
    assert "Traceback" not in said.err


def test_json_is_one_record_with_all_that_was_promised(swarmmind: Command, work: Path) -> None:
    write_task(work)
    said = swarmmind("run", "task.yaml", "--json")
    data = record(said)
    assert said.code == 0
    assert set(data) >= RESULT
    assert set(data["usage"]) >= USAGE
    assert set(data["coverage"]) >= COVERAGE
    assert (data["status"], data["score"], data["usage"]["calls"]) == ("finished", 1.0, 3)
    assert data == stored(data["folder"])


def test_odd_characters_in_an_answer_do_not_break_the_line(swarmmind: Command, work: Path) -> None:
    (work / "mine.py").write_text(
        "def program(ctx, society):\n    yield []\n    return 'a\\nb\\u2028c\\x1b[2J\\ud800'\n"
    )
    write_task(work, swarm={"agents": {"solver": 1}, "topology": "./mine.py:program"}, score=None)
    assert record(swarmmind("run", "task.yaml", "--json", "--allow-code"))["output"] == "a\nb\u2028c\x1b[2J\ud800"
    said = swarmmind("run", "task.yaml", "--allow-code")
    assert said.code == 0
    assert "\x1b" not in said.out


def test_set_input_and_runs_do_what_they_say(swarmmind: Command, work: Path) -> None:
    write_task(work, problem="What is {{ a }}?", inputs={"a": "nothing"}, score=None)
    options = ["--set", "seed=11", "--set", "swarm.topology=solo", "--input", "a=the sea=blue", "--runs", "elsewhere"]
    data = record(swarmmind("run", "task.yaml", "--json", *options))
    assert (data["seed"], data["topology"], data["usage"]["calls"]) == (11, "solo", 1)
    folder = Path(data["folder"])
    assert folder.parent == Path("elsewhere")
    assert b"What is the sea=blue?" in (folder / "journal.sqlite").read_bytes()
    assert not (work / "runs").exists()


def test_the_environment_says_where_runs_are_unless_the_flag_does(
    swarmmind: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_task(work)
    monkeypatch.setenv("SWARMMIND_RUNS", "from-environment")
    assert Path(record(swarmmind("run", "task.yaml", "--json"))["folder"]).parent == Path("from-environment")
    flag = record(swarmmind("run", "task.yaml", "--json", "--runs", "from-flag"))
    assert Path(flag["folder"]).parent == Path("from-flag")


def test_a_run_that_failed_exits_with_1_and_still_prints_its_record(swarmmind: Command, work: Path) -> None:
    (work / "mine.py").write_text(
        "from swarmmind.errors import Failed\n"
        "def program(ctx, society):\n    yield []\n    raise Failed('nobody\\nknows')\n"
    )
    write_task(work, swarm={"agents": {"solver": 1}, "topology": "./mine.py:program"})
    said = swarmmind("run", "task.yaml", "--json", "--allow-code")
    assert (said.code, record(said)["status"], record(said)["error"]) == (1, "failed", "nobody\nknows")
    assert swarmmind("run", "task.yaml", "--allow-code").code == 1


def test_a_run_that_its_budget_stopped_exits_with_0_and_goes_on_when_it_may(swarmmind: Command, work: Path) -> None:
    write_task(work, budget={"calls": 2})
    said = swarmmind("run", "task.yaml", "--json")
    stopped = record(said)
    assert (said.code, stopped["status"], stopped["stopped"], stopped["undone"]) == (
        0,
        "stopped",
        "calls",
        "1 of 3 calls were not made",
    )
    resumed = record(swarmmind("resume", "last", "--json", "--set", "budget.calls=3"))
    assert (resumed["run_id"], resumed["status"], resumed["usage"]["calls"]) == (stopped["run_id"], "finished", 3)
    again = record(swarmmind("resume", stopped["run_id"], "--json"))
    assert again["usage"] == resumed["usage"]
    assert len(asked(work / resumed["folder"])) == 3


def test_a_changed_task_is_refused_with_exit_code_1(swarmmind: Command, work: Path) -> None:
    write_task(work)
    swarmmind("run", "task.yaml")
    said = swarmmind("resume", "last", "--set", "sampling.temperature=0.3")
    assert (said.code, said.out, len(said.err.splitlines())) == (1, "", 1)
    assert "asks something else" in said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nothing.yaml"], "nothing.yaml: no such file"),
        (["run", "task.yaml", "--set", "sed=3"], "did you mean 'seed'"),
        (["run", "task.yaml", "--set", "nonsense"], "nonsense"),
        (["run", "task.yaml", "--input", "a"], "--input 'a': must be NAME=VALUE"),
        (["run", "task.yaml", "--input", "a=1"], "input 'a' is not declared"),
        (["run", "task.yaml", "--set", "model=builtin/nobody"], "nobody"),
        (["run", "task.yaml", "--set", "model=openai/gpt-4o", "--set", "budget.usd=x"], "budget.usd"),
        (["run", "task.yaml", "--set", "swarm.topology=./mine.py:x"], "mine.py"),
        (["resume", "last"], "last: no such run in runs/ (0 runs there)"),
        (["resume", "."], "is not a run's folder"),
        (["view", "abc"], "abc: no such run"),
        (["check", "task.yaml", "--set", "swarm.agents.solver=0"], "swarm.agents.solver"),
        (["init", "taken"], "taken/task.yaml: is there already"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, swarmmind: Command, work: Path
) -> None:
    write_task(work)
    write_task(work / "taken")
    said = swarmmind(*arguments)
    assert is_refused(said, work), said
    assert message in said.err


@pytest.mark.parametrize("arguments", [["run"], ["run", "task.yaml", "--nonsense"], ["dance"], ["list", "cards"]])
def test_a_mistyped_command_line_is_exit_code_2(arguments: list[str], swarmmind: Command, work: Path) -> None:
    write_task(work)
    said = swarmmind(*arguments)
    assert (said.code, said.out) == (2, "")
    assert "Traceback" not in said.err


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("file", BROKEN[::4], ids=[file.stem for file in BROKEN[::4]])
def test_every_broken_task_is_one_line_and_nothing_happens(
    file: Path, command: str, swarmmind: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "80")
    project = make_project(work / "project")
    shutil.copy(file, project / "task.yaml")
    before = set(work.rglob("*"))
    said = swarmmind(command, "project/task.yaml")
    allowed_by_check = command == "check" and file.stem.startswith("code-")
    assert is_refused(said, work) or (allowed_by_check and said.code in (0, 2)), said
    assert set(work.rglob("*")) == before


# --- check, list, schema, init, view ----------------------------------------------------------------------------------


def test_check_prices_a_run_without_starting_it(swarmmind: Command, work: Path) -> None:
    write_task(work, swarm={"agents": {"solver": 4}, "topology": "debate"}, budget={"calls": 5})
    said = swarmmind("check", "task.yaml", "--json")
    data = record(said)
    assert (said.code, data["valid"], data["estimate"]["calls"], data["agents"], data["code"]) == (0, True, 12, 4, [])
    assert data["estimate"]["prompt_tokens"] > data["estimate"]["cacheable_tokens"] > 0
    assert data["warnings"] == ["the run needs 12 calls, the budget allows 5"]
    plain = swarmmind("check", "task.yaml")
    assert "calls: 12" in plain.out
    assert "warning: the run needs 12 calls, the budget allows 5" in plain.out
    assert not (work / "runs").exists()


def test_check_says_exactly_how_many_calls_a_run_then_makes(swarmmind: Command, work: Path) -> None:
    write_sums(work)
    path = write_task(
        work,
        problem={"dataset": "sums.jsonl"},
        score={"use": "number"},
        swarm={"agents": {"solver": 2}, "topology": "debate"},
    )
    estimated = record(swarmmind("check", str(path), "--json"))["estimate"]
    assert estimated["calls"] == record(swarmmind("run", str(path), "--json"))["usage"]["calls"] == 18


def test_check_says_if_what_agents_answer_decides_how_many_calls_there_are(swarmmind: Command, work: Path) -> None:
    agents = {"explorer": 2, "worker": 4, "validator": 3}
    path = write_task(work, swarm={"agents": agents, "topology": "swarmsys"}, score=None)
    estimated = record(swarmmind("check", str(path), "--json"))["estimate"]
    assert not estimated["counted"]
    assert estimated["calls"] > 5 * 3 * (2 + 2 + 3)  # five events, each given up after three attempts
    assert "in a rehearsal; what agents really answer decides" in swarmmind("check", str(path)).out


def test_check_says_how_many_calls_wait_for_each_other_and_how_long_that_takes(swarmmind: Command, work: Path) -> None:
    swarm = {"agents": {"solver": 4}, "topology": {"use": "debate", "rounds": 3}}
    write_task(work, swarm=swarm, model={"name": "scripted", "latency_seconds": 20})
    estimated = record(swarmmind("check", "task.yaml", "--json"))["estimate"]
    told = {"critical_path": 3, "complete": True, "waiting_seconds": 0.0, "seconds": 60.0}
    assert estimated | told == estimated
    plain = swarmmind("check", "task.yaml").out.splitlines()
    assert "calls: 12, of these 3 one after the other" in plain
    assert "time: 60 s, at the latency that its models state" in plain
    assert not any(line.startswith(("waits:", "(rehearsed")) for line in plain)


def test_check_is_honest_about_what_it_did_not_rehearse(swarmmind: Command, work: Path) -> None:
    swarm = {"agents": {"solver": 2}, "topology": {"use": "debate", "rounds": 4000}}
    write_task(work, swarm=swarm, model={"name": "scripted", "latency_seconds": 0.5}, problem="?" * 200_000)
    plain = swarmmind("check", "task.yaml").out
    found = re.search(r"calls: 8,000, of these at least ([\d,]+) one after the other\n", plain)
    assert found is not None
    # It is cut off when two hundred million tokens were read, fifty thousand at a time by two agents.
    assert 1500 < int(found[1].replace(",", "")) < 2100
    assert "time: at least " in plain
    assert re.search(r"\(rehearsed [234],\d\d\d calls, the rest extrapolated\)", plain)


def test_check_tells_waiting_from_calling(swarmmind: Command, work: Path) -> None:
    (work / "mine.py").write_text(
        "from swarmmind.effects import Ask, Message, Sleep\n"
        "def program(ctx, society):\n"
        "    for agent in society.agents:\n"
        "        yield [Ask(agent, (Message('user', '?'),)), Sleep(7.0)]\n"
        "    return 'x'\n"
    )
    write_task(work, swarm={"agents": {"solver": 3}, "topology": "./mine.py:program"}, score=None)
    plain = swarmmind("check", "task.yaml", "--allow-code").out
    assert "calls: about 3, of these at most 3 one after the other" in plain
    assert "waits: 21 s, in which nobody is asked" in plain


def test_check_lists_code_and_never_runs_it_unasked(swarmmind: Command, work: Path) -> None:
    (work / "mine.py").write_text(
        "open('ran', 'w').close()\ndef program(ctx, society):\n    yield []\n    return 'x'\n"
    )
    write_task(work, swarm={"agents": {"solver": 1}, "topology": "./mine.py:program"}, score=None)
    said = swarmmind("check", "task.yaml")
    assert said.code == 0
    assert "would run code: ./mine.py:program" in said.out
    assert not (work / "ran").exists()
    data = record(swarmmind("check", "task.yaml", "--json", "--allow-code"))
    assert (data["code"], data["estimate"]["calls"]) == (["./mine.py:program"], 0)
    assert (work / "ran").exists()


def test_list_names_what_the_code_knows(swarmmind: Command) -> None:
    data = record(swarmmind("list", "--json"))
    assert set(data["environments"]) == set(ENVIRONMENTS)
    assert set(data["policies"]) == {f"builtin/{name}" for name in POLICIES}
    assert set(data["scorers"]) == {*SCORERS, "judge"}
    assert {"solver", "worker"} <= set(data["agents"])
    assert {"solo", "vote", "debate", "world"} <= set(data["topologies"])
    assert data["runs"] == {}
    assert all(text for kind in data.values() for text in kind.values())
    plain = swarmmind("list", "topologies").out
    assert all(name in plain for name in data["topologies"])
    assert "solver" not in plain


def test_list_shows_the_runs_that_are_there_and_parts_of_the_folder(swarmmind: Command, work: Path) -> None:
    write_task(work)
    (work / "topologies").mkdir()
    (work / "topologies" / "mine.yaml").write_text("description: Mine alone.\nuse: vote\n")
    run_id = record(swarmmind("run", "task.yaml", "--json"))["run_id"]
    data = record(swarmmind("list", "--json"))
    assert data["runs"] == {run_id: "finished, score 1"}
    assert data["topologies"]["mine"] == "Mine alone."


def test_list_topologies_draws_each_below_its_description(swarmmind: Command, work: Path) -> None:
    (work / "topologies").mkdir()
    head = "description: Mine alone.\nuse: vote\n"
    (work / "topologies" / "mine.yaml").write_text(head + "drawing: |\n  me ──▶ 群\n   ╰──▶ you\n")
    (work / "topologies" / "bare.yaml").write_text(head)
    said = swarmmind("list", "topologies").out
    lines = said.splitlines()
    at = next(at for at, line in enumerate(lines) if line.split() == ["mine", "Mine", "alone."])
    assert lines[at + 1 : at + 5] == ["", "      me ──▶ 群", "       ╰──▶ you", ""]
    data = record(swarmmind("list", "topologies", "--json"))
    assert set(data) == {"topologies", "drawings"}
    assert (data["topologies"]["mine"], data["drawings"]["mine"]) == ("Mine alone.", "me ──▶ 群\n ╰──▶ you")
    assert data["drawings"]["bare"] == ""
    for drawing in data["drawings"].values():
        assert all(f"      {line}".rstrip() in lines for line in drawing.splitlines())


def test_list_of_everything_draws_nothing(swarmmind: Command) -> None:
    assert "▶" in swarmmind("list", "topologies").out
    assert "▶" not in swarmmind("list").out
    assert "drawings" not in record(swarmmind("list", "--json"))
    assert "drawings" not in record(swarmmind("list", "memory", "--json"))


def test_a_drawing_cannot_drive_the_terminal(swarmmind: Command, work: Path) -> None:
    (work / "topologies").mkdir()
    drawing = '"\\e[2Ja\\u202e\\r\\x0bb\\x85c\\nd"'
    (work / "topologies" / "mine.yaml").write_text(f"description: A.\nuse: vote\ndrawing: {drawing}\n")
    said = swarmmind("list", "topologies").out
    assert "      ␛[2Ja⟨U+202E⟩␍␋b⟨U+0085⟩c\n      d\n" in said
    assert not set(said) & set("\x1b\u202e\r\x0b\x85")


def test_a_drawing_that_is_too_large_is_one_line_with_its_place(swarmmind: Command, work: Path) -> None:
    (work / "topologies").mkdir()
    text = "description: A.\nuse: vote\ndrawing: |\n" + "  a\n" * 13
    (work / "topologies" / "mine.yaml").write_text(text)
    write_task(work, swarm={"agents": {"solver": 2}, "topology": "mine"})
    for command in (["list", "topologies"], ["check", "task.yaml"], ["run", "task.yaml"]):
        said = swarmmind(*command)
        assert is_refused(said, work), said
        assert "topologies/mine.yaml:3:10: drawing: must have at most 12 lines, got 13" in said.err


def test_schema_is_the_schema_of_task_files(swarmmind: Command) -> None:
    said = swarmmind("schema")
    assert (said.code, json.loads(said.out)) == (0, task_schema())


def test_init_writes_a_task_that_checks_and_runs(swarmmind: Command, work: Path) -> None:
    assert swarmmind("init", "new").code == 0
    text = (work / "new" / "task.yaml").read_text()
    assert yaml.safe_load(text)["schema"] == "swarmmind/v1"
    assert swarmmind("check", "new/task.yaml").code == 0
    assert record(swarmmind("run", "new/task.yaml", "--json"))["status"] == "finished"
    assert swarmmind("init", "new").code == 2
    assert (work / "new" / "task.yaml").read_text() == text


def test_view_makes_the_report_anew(swarmmind: Command, work: Path) -> None:
    write_task(work)
    folder = work / record(swarmmind("run", "task.yaml", "--json"))["folder"]
    (folder / "report.html").unlink()
    data = record(swarmmind("view", "last", "--json"))
    assert data == {"report": str(folder / "report.html")}
    assert "The answer is 5." in (folder / "report.html").read_text()


def test_help_names_every_command(swarmmind: Command) -> None:
    said = swarmmind("--help")
    assert said.code == 0
    for name in ("run", "resume", "check", "list", "schema", "init", "view"):
        assert name in said.out
        assert swarmmind(name, "--help").code == 0
