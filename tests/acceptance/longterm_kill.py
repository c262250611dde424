"""Long-term stores under kill -9, two runs at once, and damaged files; real processes throughout."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from swarmmind.memory.salvage import salvage
from swarmmind.memory.store import Store, Stores
from swarmmind.testing import LooseCall
from swarmmind.traces import Item, Load, Loaded

from .experiment import Experiment
from .stagehands import SWARMMIND, Server, endpoint, finish, start

KILLS, WRITER_KILLS, LESSONS, FLIPS = 20, 20, 24, 400
STORE = ".swarmmind/longterm.sqlite"
LATENCY = ("--latency-seconds", "0.02")
TASK = """
problem: {{dataset: {data}}}
model: vllm/fake
swarm:
  agents: {{solver: 2}}
  topology: {{use: omne, consolidate_every: 4}}
  memory: longterm
score: {{use: choice, options: [A, B, C, D]}}
seed: 11
"""
RUN = ("--json", "--display", "none")


def run() -> Experiment:
    """Kill runs, kill writers, let two write at once, damage files."""
    experiment = Experiment(
        "longterm-kill",
        f"{KILLS} runs and {WRITER_KILLS} writers killed (-9) at random moments; {FLIPS} damaged files",
        ["what", "killed after", "in the store then", "calls made twice", "same value", "same store"],
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = _kill_runs(experiment, folder)
        _kill_writers(experiment, folder / "writers")
        _two_at_once(experiment, folder / "two")
        _damage(experiment, folder / "damaged", whole)
    return experiment


# --- runs -------------------------------------------------------------------------------------------------------------


def _project(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        lines = [
            {"problem": f"Case {at} of {name}: which?", "target": "ABCD"[at % 4], "kind": f"{name}-{at % 5}"}
            for at in range(LESSONS)
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (folder / f"{name}.yaml").write_text(TASK.format(data=f"{name}.jsonl"))
    return folder


def loaded(path: Path) -> tuple[Item, ...]:
    """What a store holds, every checksum and the seal verified."""
    with closing(Store(path)) as store:
        return store.load()


class _Whole(NamedTuple):
    """The run that nobody killed."""

    result: dict[str, Any]
    store: Path
    items: tuple[Item, ...]


def _kill_runs(experiment: Experiment, folder: Path) -> _Whole:
    with endpoint(folder, *LATENCY) as server:
        project = _project(folder / "whole", "one")
        process = start(project, server, "run", "one.yaml", *RUN)
        result = finish(process)
        whole = _Whole(result, project / STORE, loaded(project / STORE))
    kinds = {kind: sum(item.kind == kind for item in whole.items) for kind in ("episode", "pattern")}
    experiment.expect("episodes of the run nobody killed", kinds["episode"], "==", LESSONS)
    experiment.expect("its patterns", kinds["pattern"], ">=", 1)
    experiment.expect("its verdicts on them", sum(i.uses for i in whole.items), ">=", 1)
    rng = random.Random(5)
    with endpoint(folder, *LATENCY) as server:
        moments = [(rng.randrange(1, LESSONS + 1), rng.uniform(0, 0.06)) for _ in range(KILLS)]
        seen = [_kill_run(experiment, at, folder, server, moment, whole) for at, moment in enumerate(moments)]
    experiment.expect("different amounts in the stores at the kills", len(set(seen)), ">=", KILLS // 3)
    return whole


def _until(server: Server, received: int) -> None:
    while server.counts()[0] < received:
        time.sleep(0.002)


def _kill_run(
    experiment: Experiment, number: int, folder: Path, server: Server, moment: tuple[int, float], whole: _Whole
) -> int:
    project = _project(folder / f"killed-{number}", "one")
    earlier, _ = server.counts()
    process = start(project, server, "run", "one.yaml", *RUN)
    _until(server, earlier + moment[0])
    time.sleep(moment[1])
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    at_kill = loaded(project / STORE)
    [run_folder] = (project / "runs").glob("[!.]*")
    result = finish(start(project, server, "resume", str(run_folder.relative_to(project)), *RUN))
    same = all(result[key] == whole.result[key] for key in ("output", "score", "status", "coverage"))
    same_store = loaded(project / STORE) == whole.items
    twice = server.counts()[0] - earlier - LESSONS
    when = f"call {moment[0]} + {1000 * moment[1]:.0f} ms"
    experiment.row(f"run {number}", when, len(at_kill), twice, same, same_store)
    experiment.expect(f"run {number}: value equals the run nobody killed", same, "==", True)
    experiment.expect(f"run {number}: so does the store", same_store, "==", True)
    experiment.expect(f"run {number}: calls made twice", twice, "<=", 1)
    return len(at_kill)


# --- writers: killed while they do nothing but persist ----------------------------------------------------------------

_WRITER = """
import sys
from pathlib import Path
from swarmmind.memory.store import Store
from swarmmind.traces import Credit, Drop, Item, Put
store = Store(Path(sys.argv[1]))
name, count = sys.argv[2], int(sys.argv[3])
store.persist("shared", [Put(Item("shared", text="everybody's"))])
print("ready", flush=True)
for at in range(count):
    item = Item(f"{name}-{at}", text="x" * 400, born=at + 1, vector=bytes(1024))
    drop = [Drop(f"{name}-{at - 3}")] if at % 3 == 2 else []
    store.persist(f"{name}/{at}", [Put(item), Credit("shared", uses=1, wins=at % 2), *drop])
    print(at, flush=True)
store.close()
"""


def _writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITER, str(path), name, str(count)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _kill_writers(experiment: Experiment, folder: Path) -> None:
    folder.mkdir()
    count, rng = 200, random.Random(6)
    _writer(folder / "whole", "w", count).communicate()
    whole = loaded(folder / "whole")
    killed = 0
    for number in range(WRITER_KILLS):
        path = folder / f"killed-{number}"
        process = _writer(path, "w", count)
        assert process.stdout is not None
        for _ in range(rng.randrange(count - 20)):
            process.stdout.readline()
        began = time.monotonic()
        time.sleep(rng.uniform(0, 0.005))
        process.send_signal(signal.SIGKILL)
        after_seconds = time.monotonic() - began
        process.communicate()
        items = {item.id: item for item in loaded(path)}
        done = items["shared"].uses
        wanted = {f"w-{at}" for at in range(done)} - {f"w-{at - 3}" for at in range(2, done, 3)}
        half = set(items) != wanted | {"shared"}
        _writer(path, "w", count).communicate()  # the same effects once more: what was done is not done again
        same = [_timeless(item) for item in loaded(path)] == [_timeless(item) for item in whole]
        experiment.row(f"writer {number}", f"{done} + {1000 * after_seconds:.0f} ms", len(items), "-", "-", same)
        killed += done < count
        experiment.expect(f"writer {number}: half a transaction after {done} whole ones", half, "==", False)
        experiment.expect(f"writer {number}: persisted again, the store equals that of nobody killed", same, "==", True)
    experiment.expect("writers killed before they were done", killed, ">=", WRITER_KILLS * 3 // 4)


def _timeless(item: Item) -> tuple[Any, ...]:
    return item.id, item.text, item.born, item.uses, item.wins, item.losses, item.vector


# --- two at once, and damage ------------------------------------------------------------------------------------------


def _two_at_once(experiment: Experiment, folder: Path) -> None:
    _project(folder, "one", "two")
    with endpoint(folder, *LATENCY) as server:
        both = [start(folder, server, "run", f"{name}.yaml", *RUN) for name in ("one", "two")]
        for process in both:
            finish(process)
    kept = [item for item in loaded(folder / STORE) if item.kind == "episode"]
    experiment.row("two runs at once", "-", len(kept), "-", "-", "-")
    experiment.expect("episodes of two runs at once", len(kept), "==", 2 * LESSONS)
    path, each = folder / "hammered", 100
    writers = [_writer(path, name, each) for name in "abc"]
    for writer in writers:
        writer.communicate()
    uses = next(item.uses for item in loaded(path) if item.id == "shared")
    experiment.expect("verdicts of three processes on one item", uses, "==", 3 * each)


def _damage(experiment: Experiment, folder: Path, whole: _Whole) -> None:
    folder.mkdir()
    raw, rng = whole.store.read_bytes(), random.Random(7)
    counts = {"refused": 0, "equal": 0, "different": 0, "more than a line": 0}
    for number in range(FLIPS):
        damaged = bytearray(raw)
        if number % 4:
            damaged[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        else:
            del damaged[rng.randrange(len(raw)) :]
        counts[_read_back(folder, bytes(damaged), whole.items)] += 1
    for what, count in counts.items():
        experiment.row(f"damaged: {what}", "-", count, "-", "-", "-")
    experiment.expect("damaged files that loaded as something else", counts["different"], "==", 0)
    experiment.expect("damaged files refused in more than a line", counts["more than a line"], "==", 0)
    experiment.expect("damaged files refused", counts["refused"], ">=", FLIPS // 4)
    _refused_by_the_command(experiment, folder, raw, whole)


def _read_back(folder: Path, damaged: bytes, items: tuple[Item, ...]) -> str:
    path = folder / "store.sqlite"
    path.write_bytes(damaged)
    stores = Stores(folder, "run", at_once=True)
    found: Loaded = stores(Load(path.name), LooseCall(key="load"))  # type: ignore[arg-type]
    stores.close()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    if found.failure is None:
        return "equal" if found.items == items else "different"
    return "refused" if len(found.failure.message.splitlines()) == 1 else "more than a line"


def _refused_by_the_command(experiment: Experiment, folder: Path, raw: bytes, whole: _Whole) -> None:
    """A damaged store stops a run in one line; what is whole of it can be saved, and the run goes on."""
    project = _project(folder / "project", "one")
    (project / ".swarmmind").mkdir()
    damaged = raw.replace(whole.items[0].text.encode()[:20], b"something else, here", 1)
    (project / STORE).write_bytes(damaged)
    with endpoint(folder, *LATENCY) as server:
        env = {**os.environ, "VLLM_BASE_URL": server.base_url}
        command = [*SWARMMIND, "run", "one.yaml", *RUN]
        done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False)
        experiment.expect("exit code of a run on a damaged store", done.returncode, "==", 1)
        error = f"{STORE}: the store is damaged (the checksum of an item is wrong)"
        experiment.expect("its error", json.loads(done.stdout)["error"][: len(error)], "==", error)
        experiment.expect("a traceback", "Traceback" in done.stderr, "==", False)
        experiment.expect("calls it made", server.counts()[0], "==", 0)
        saved = salvage(project / STORE)
        experiment.expect("items saved, and lost", (saved.kept, saved.lost), "==", (len(whole.items) - 1, 1))
        experiment.expect("the damaged file is kept aside", saved.aside.read_bytes() == damaged, "==", True)
        finish(start(project, server, "run", "one.yaml", *RUN))
    shutil.rmtree(project)
