"""What hostile code tries, for real: it is stopped, it scores nothing, and the machine is as before."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from swarmmind.evals.sandbox.tests import Bounds
from tests.evals.sandbox.trying import needs_walls, tried

pytestmark = needs_walls

FORBIDDEN = "forbidden: it tried to start a process, to open a socket, or to signal or trace another process"
TEST = "assert answer(6) == 42"
FAKED = {  # name: code, the beginning of the reason
    "exits at once": ("import os\nos._exit(0)", "the code ended the process (exit status 0)"),
    "exits politely": ("raise SystemExit(0)", "the code tried to exit (SystemExit: 0), at: running it"),
    "exits in the test": ("import os\ndef answer(x):\n os._exit(0)", "the code ended the process (exit status 0)"),
    "exits later": ("import sys\ndef answer(x):\n sys.exit(0)", f"the code tried to exit (SystemExit: 0), at: {TEST}"),
    "equals everything": ("class E:\n def __eq__(s, o): return True\ndef answer(x): return E()", f"wrong: {TEST}"),
    "a number that equals everything": (
        "class E(int):\n def __eq__(s, o): return True\n __hash__ = int.__hash__\n"
        " def __index__(s): return 42\n def __int__(s): return 42\ndef answer(x): return E(7)",
        f"wrong: {TEST}",
    ),
    "patches builtins": (
        "import builtins\nbuiltins.AssertionError = None\nbuiltins.compile = builtins.exec = print\n"
        "def answer(x): return 1",
        f"wrong: {TEST}",
    ),
    "patches the harness": (
        "import sys\nfor name, module in list(sys.modules.items()):\n if 'swarmmind' in name:\n"
        "  for key in list(vars(module)):\n   if not key.startswith('__'): setattr(module, key, print)\n"
        "def answer(x): return 42",
        "the code ended the process",
    ),
    "speaks for the tests": (
        "import os, json, struct\nsaid = json.dumps({'passed': True, 'reason': ''}).encode()\n"
        "for fd in range(3, 64):\n for message in (said, struct.pack('=I', len(said)) + said):\n"
        "  try: os.write(fd, message)\n  except OSError: pass\ndef answer(x): return 1",
        "the code does not keep to the protocol",
    ),
    "answers before it is asked": (
        "import os, json, struct\nsaid = json.dumps(['ok', 42, []]).encode()\n"
        "os.write(4, (struct.pack('=I', len(said)) + said) * 3)\ndef answer(x): return 1",
        "the code does not keep to the protocol",
    ),
    "sends what equals everything": (
        "from swarmmind.evals.sandbox import wire\npack = wire.Wire.pack\n"
        "def packed(self, value):\n"
        " return ['library', ['unittest.mock', 'ANY']] if value == 7 else pack(self, value)\n"
        "wire.Wire.pack = packed\ndef answer(x): return 7",
        f"wrong: {TEST}",
    ),
    "sends builtins of its own": (
        "from swarmmind.evals.sandbox import wire\npack = wire.Wire.pack\n"
        "def packed(self, value):\n"
        " if isinstance(value, dict):\n  value = {**value, '__builtins__': {'abs': len}, 'abs': len}\n"
        " return pack(self, value)\n"
        "wire.Wire.pack = packed\ndef answer(x): return 1",
        f"wrong: {TEST}",
    ),
    "says that a value cannot be handed over": (
        "class Unsendable(BaseException): pass\ndef answer(x): raise Unsendable",
        f"the code tried to exit (Unsendable), at: {TEST}",
    ),
    "has a function called": (
        "import os, json, struct\n"
        "said = json.dumps(['do', 'call', [['library', ['builtins', 'print']], ['list', []], ['dict', []]]]).encode()\n"
        "os.write(4, struct.pack('=I', len(said)) + said)\ndef answer(x): return 1",
        "the code does not keep to the protocol",
    ),
    "closes everything": ("import os\nos.closerange(0, 100)", "the code ended the process"),
    "traces": ("import sys\nsys.settrace(lambda *a: 1/0)\ndef answer(x): return 1", "ZeroDivisionError"),
    "at exit": ("import atexit, os\natexit.register(os._exit, 0)\ndef answer(x): return 1", f"wrong: {TEST}"),
    "crashes": ("import ctypes\ndef answer(x): return ctypes.string_at(0)", "the code crashed (SIGSEGV)"),
    "nests without end": ("def answer(x):\n a = []\n a.append(a)\n return a", "RecursionError"),
}
BARRED = {
    "fork bomb": "import os\nwhile True: os.fork()",
    "fork bomb by hand": "import ctypes\nlibc = ctypes.CDLL(None)\nwhile True: libc.syscall(57)\n",
    "clone": "import ctypes, platform\nctypes.CDLL(None).syscall(56 if platform.machine() == 'x86_64' else 220, 17)",
    "a program": "import subprocess\nsubprocess.run(['true'])",
    "a shell": "import os\nos.system('true')",
    "another program": "import os\nos.execv('/bin/true', ['true'])",
    "multiprocessing": "import multiprocessing as m\nm.get_context('fork').Process(target=print).start()",
    "network": "import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=1)",
    "a server": "import http.server\nhttp.server.HTTPServer(('', 0), http.server.SimpleHTTPRequestHandler)",
    "kills its parent": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "kills the tests' run": "import os, signal\nos.kill({pid}, signal.SIGKILL)",
    "kills everybody": "import os, signal\nos.kill(-1, signal.SIGKILL)",
    "traces its parent": "import ctypes, os\nctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0)",
    "new namespaces": "import ctypes\nctypes.CDLL(None).unshare(0x10000000)",
}
MORE = "\ndef answer(x): return 42"


@pytest.mark.parametrize("name", FAKED)
def test_no_trick_makes_a_test_pass(name: str) -> None:
    code, reason = FAKED[name]
    ran = tried(code, TEST)
    assert ran.passed is False
    assert ran.reason.startswith(reason)


@pytest.mark.parametrize("name", BARRED)
def test_what_only_an_attack_does_ends_the_process(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        code = BARRED[name].replace("{port}", str(server.getsockname()[1])).replace("{pid}", str(os.getpid()))
        ran = tried(code + MORE, TEST)
        with pytest.raises(BlockingIOError):  # nobody has knocked
            server.accept()
    assert (ran.passed, ran.reason) == (False, FORBIDDEN)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("while True: pass", "time: more than 1 s of processor time"),
        ("def answer(x):\n while True: x += 1", "time: more than 1 s of processor time"),
        (
            "import signal\nfor s in (signal.SIGXCPU, signal.SIGTERM): signal.signal(s, signal.SIG_IGN)\n"
            "def answer(x):\n while True: x += 1",
            "time: more than 1 s of processor time",
        ),
        ("def answer(x): return len(bytearray(10 << 30))", f"memory: more than is allowed, at: {TEST}"),
        ("kept = []\nwhile True: kept.append(bytearray(1 << 20))", "memory: more than is allowed, at: running it"),
        ("import mmap\nmmap.mmap(-1, 10 << 30)", "OSError: [Errno 12] Cannot allocate memory, at: running it"),
        ("import os\nos.memfd_create('x')", "PermissionError: [Errno 1] Operation not permitted, at: running it"),
        (
            "import threading, time\n"
            "for _ in range(1000): threading.Thread(target=time.sleep, args=(100,), daemon=True).start()",
            "RuntimeError: can't start new thread, at: running it",
        ),
        ("def answer(x): return 'x' * (80 << 20)", f"memory: more than is allowed, at: {TEST}"),
    ],
)
def test_nothing_can_be_used_up(code: str, reason: str) -> None:
    ran = tried(code, TEST)
    assert (ran.passed, ran.reason) == (False, reason)


def test_nobody_waits_for_code_that_does_nothing() -> None:
    ran = tried("import time\ndef answer(x): time.sleep(100)", TEST, bounds=Bounds(wall_seconds=1, memory_mb=256))
    assert (ran.passed, ran.reason) == (False, f"time: no answer in time, at: {TEST}")
    ran = tried("def answer(x): return 42", "import time\ntime.sleep(100)", bounds=Bounds(wall_seconds=0.5))
    assert (ran.passed, ran.reason) == (False, "time: more than 0.5 s")


def test_prints_are_cut_and_block_nobody() -> None:
    ran = tried("for _ in range(300): print('x' * 100_000)" + MORE, TEST)
    assert ran.passed
    assert ran.output == "x" * 2000


def test_files_are_not_there_and_the_scratch_is_small(tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("mine")
    for path in (kept, Path("/etc/passwd"), Path("/proc/1/environ"), Path("/proc/self/mem"), Path.home() / ".profile"):
        ran = tried(f"open({str(path)!r}).read()", TEST)
        assert (ran.passed, ran.reason.partition(":")[0]) == (False, "FileNotFoundError")
    ran = tried(f"import os\nos.remove({str(kept)!r})", TEST)
    assert ran.reason.startswith("FileNotFoundError")
    ran = tried("open('/new', 'w')", TEST)
    assert ran.reason.startswith("OSError: [Errno 30] Read-only file system")
    ran = tried("import os\nopen(os.__file__, 'a')", TEST)
    assert ran.reason.startswith(("OSError: [Errno 30] Read-only file system", "PermissionError: [Errno 13]"))
    ran = tried("for at in range(100): open(f'/tmp/{at}', 'wb').write(b'x' * (1 << 20))", TEST)
    assert ran.reason.startswith("OSError: [Errno 28] No space left on device")
    assert tried(
        "open('/tmp/a', 'w').write('x')\ndef answer(x): return 42 * open('/tmp/a').read().count('x')", TEST
    ).passed
    assert kept.read_text() == "mine"
    assert not Path("/tmp/a").exists()


def test_a_module_that_tests_rely_on_is_not_the_codes_own() -> None:
    fake = "class math:\n @staticmethod\n def isclose(*a, **k): return True\ndef answer(x): return 1"
    test = "assert math.isclose(answer(6), 42)"
    assert tried(fake, test).reason == f"wrong: {test}"
    assert tried("import math\ndef answer(x): return 42.0", test).passed
    assert tried("def random(): return 4", "assert random() == 4").passed


def test_nothing_that_is_said_breaks_the_journal() -> None:
    ran = tried("def answer(x): raise ValueError('half \\ud83d')", TEST)
    assert ran.reason == f"ValueError: half \ufffd, at: {TEST}"
    msgspec.json.encode(ran)


def test_there_is_nothing_to_read() -> None:
    assert tried("import sys\ndef answer(x): return 42 + len(sys.stdin.read())", TEST).passed
    assert tried("def answer(x): return input()", TEST).reason.startswith("EOFError")


def test_a_strict_umask_is_no_trouble() -> None:
    before = os.umask(0o077)
    try:
        assert tried("import colorsys\ndef answer(x): return 42", TEST).passed
    finally:
        os.umask(before)


@pytest.mark.parametrize("without", [(), ("namespaces",)])
def test_no_code_outlives_a_run_that_is_killed(without: tuple[str, ...], tmp_path: Path) -> None:
    weak = tried("def answer(x): return 42", TEST, bounds=Bounds(walls="weak"), without=without)
    if weak.failure is not None:
        pytest.skip(weak.failure.message)
    code = "import time\ntime.sleep(300)"
    order = f"RunTests({code!r}, ('pass',), bounds=Bounds(5, 271.25, 256, 'weak'))"
    names = "from swarmmind.evals.sandbox.handler import run_tests; from swarmmind.evals.sandbox.tests import *"
    program = f"{names}; run_tests({order}, without={without!r})"
    run = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        assert _soon(lambda: len(_jailed("271.25")) == 4)
    finally:
        run.kill()
        run.wait()
    assert _soon(lambda: not _jailed("271.25"))


def _jailed(mark: str) -> list[int]:
    """The processes of a sandbox with such an order."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if b"swarmmind.evals.sandbox.jail" in line and mark.encode() in line:
            found.append(int(path.name))
    return found


def _soon(what: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not what() and time.monotonic() < deadline:
        time.sleep(0.02)
    return what()


def test_there_is_nothing_to_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-open-sesame")
    code = (
        "import os, sys\nprint(dict(os.environ), os.getuid(), sys.argv, sorted(os.listdir('/')))\n"
        "for fd in range(3, 64):\n try: print(fd, os.read(fd, 100) if fd not in (3,) else '')\n except OSError: pass\n"
        "def answer(x): return 42"
    )
    said = tried(code, TEST).output
    assert said.startswith("{} ")
    assert "sesame" not in said
    assert "passed" not in said
    assert TEST not in said
    assert str(os.getuid()) != said.split()[1] or os.getuid() not in (0, 1000)


def test_expected_values_cannot_be_read_from_memory() -> None:
    search = (
        "import gc, sys\n"
        "def answer():\n"
        " frame, seen = sys._getframe(), []\n"
        " while frame: seen.append(repr(frame.f_locals)); frame = frame.f_back\n"
        " seen += [repr(thing)[:10_000] for thing in gc.get_objects() if isinstance(thing, (str, bytes, list, dict))]\n"
        " key = 'ses' + 'ame-'\n"
        " found = [text[text.index(key):][:10] for text in seen if key in text]\n"
        " return found[0] if found else 'nothing'"
    )
    assert tried(search, "assert answer() == 'sesame-123'").passed is False
    assert tried(search, "assert answer() == 'nothing'").passed
