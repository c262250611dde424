from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from swarmmind.models.vllm.process import GUARD
from tests.models.vllm.faking import alive, until

# A server with a child in a session of its own, whose parent is gone and which hears no signal.
HIDES = """
import os, signal, sys, time
if os.fork():
    os.wait(); time.sleep(600)
os.setsid()
if os.fork():
    os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open(sys.argv[1], "w") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(600)
"""
STARTER = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE); time.sleep(600)"


def hidden(told: Path) -> int:
    until(lambda: told.is_file() and told.read_text().endswith("\n"))
    return int(told.read_text())


def test_a_starter_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", str(GUARD), sys.executable, "-c", HIDES, str(tmp_path / "pid")]
    starter = subprocess.Popen([sys.executable, "-c", STARTER, *command])
    pid = hidden(tmp_path / "pid")
    starter.kill()
    starter.wait()
    until(lambda: not alive(pid))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_guard_that_is_ended_takes_its_server_with_it(number: signal.Signals, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    program = "import os, sys, time; open(sys.argv[1], 'w').write(f'{os.getpid()}\\n'); time.sleep(600)"
    command = [sys.executable, "-I", "-S", str(GUARD), sys.executable, "-c", program, str(told)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as guard:
        pid = hidden(told)
        os.kill(guard.pid, number)
    until(lambda: not alive(pid))


def test_a_server_that_ends_gives_its_code() -> None:
    command = [sys.executable, "-I", "-S", str(GUARD)]
    for program, code in (("raise SystemExit(5)", 5), ("import os; os.kill(os.getpid(), 9)", 137)):
        with subprocess.Popen([*command, sys.executable, "-c", program], stdin=subprocess.PIPE) as guard:
            assert guard.wait(30) == code
