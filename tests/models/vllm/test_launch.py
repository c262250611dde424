from __future__ import annotations

from pathlib import Path

import pytest

from swarmmind.errors import UserError
from swarmmind.models.vllm.fleet import Fleet
from swarmmind.models.vllm.launch import Seat, Serving, launch
from swarmmind.models.vllm.program import Program, find_program

_KNOWN = """
generation-config seed watermark enable-prompt-tokens-details enable-chunked-prefill no-enable-chunked-prefill
gpu-memory-utilization max-num-seqs max-num-queued-reqs data-parallel-size chat-template
"""
KNOWN = frozenset(_KNOWN.split())
GPU, CPU = Program(("/opt/vllm",), "0.33.0"), Program(("/opt/vllm",), "0.32.0+cpu", cpu=True)


def flags(serving: Serving, program: Program = GPU, seat: Seat = Seat(1), known: frozenset[str] | None = KNOWN) -> str:  # noqa: B008
    return " ".join(launch(serving, program, known, seat, {}).command)


def test_a_cpu_is_asked_for_what_it_can_do() -> None:
    on_cpu, on_gpu = flags(Serving("m", "m"), CPU), flags(Serving("m", "m"))
    assert "--no-enable-chunked-prefill" in on_cpu
    assert "chunked" not in on_gpu
    assert "--gpu-memory-utilization=0.9" in on_gpu
    assert "gpu" not in on_cpu
    assert launch(Serving("m", "m"), CPU, KNOWN, Seat(1), {}).telling()["VLLM_CPU_KVCACHE_SPACE"] == "4"


def test_what_the_user_says_goes_before_what_a_swarm_wants() -> None:
    words = flags(Serving("m", "m", {"seed": 5, "watermark": None, "enable-chunked-prefill": True}), CPU).split()
    assert "--seed=5" in words
    assert "--seed=0" not in words
    assert "--enable-chunked-prefill" in words
    assert "--no-enable-chunked-prefill" not in words
    assert not [word for word in words if "watermark" in word]


def test_the_queue_is_bounded_by_what_all_engines_run() -> None:
    assert "--max-num-queued-reqs=24" in flags(Serving("m", "m", {"max-num-seqs": 8, "data-parallel-size": 2}))
    assert "queued" not in flags(Serving("m", "m"))


def test_a_server_that_does_not_say_what_it_knows_is_given_the_users_flags_only() -> None:
    words = flags(Serving("m", "name", {"anything": 1}), known=None)
    assert words == "/opt/vllm serve m --host=127.0.0.1 --port=1 --served-model-name=name --anything=1"


def test_an_unknown_flag_names_the_version() -> None:
    with pytest.raises(UserError, match=r"vLLM 0\.33\.0 has no flag --max-num-seq; did you mean 'max-num-seqs'"):
        flags(Serving("m", "m", {"max-num-seq": 1}))


def test_a_module_is_given_its_model_as_a_flag() -> None:
    program = Program(("/usr/bin/python", "-P", "-m", "vllm.entrypoints.openai.api_server"))
    assert program.serve("m") == [*program.command, "--model=m"]
    assert program.help() == [*program.command, "--help=all"]


def test_a_local_model_needs_nothing_from_outside() -> None:
    local, hub = (launch(Serving(name, "m"), GPU, KNOWN, Seat(1), {}).environ for name in ("/models/m", "org/m"))
    assert local["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in hub
    assert launch(Serving("org/m", "m"), GPU, KNOWN, Seat(1), {"HF_HUB_OFFLINE": "1"}).environ["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize(
    ("gpus", "replicas", "devices", "seats"),
    [
        ("0,1", 2, 1, [(("0",), 1), (("1",), 1)]),
        ("0,1,2,3", 2, 2, [(("0", "1"), 1), (("2", "3"), 1)]),
        ("4", 2, 1, [(("4",), 2), (("4",), 2)]),
        ("0,1", 3, 1, [(("0",), 2), (("1",), 1), (("0",), 2)]),
        ("", 2, 1, [(None, 1), (None, 1)]),
        ("0,1", 1, 1, [(None, 1)]),
        ("0,1", 2, 0, [(("0",), 1), (("1",), 1)]),
    ],
)
def test_replicas_have_gpus_of_their_own_as_far_as_there_are_enough(
    gpus: str, replicas: int, devices: int, seats: list[tuple[tuple[str, ...] | None, int]]
) -> None:
    fleet = Fleet(Serving("m", "m", {"tensor-parallel-size": devices}), replicas, GPU, {"VLLM_API_KEY": "k"})
    found = fleet.seats([gpu for gpu in gpus.split(",") if gpu])
    assert [(seat.gpus, seat.sharers) for seat in found] == seats
    assert len({seat.port for seat in found}) == replicas
    assert {seat.key for seat in found} == {"k"}


def test_a_cpu_build_is_known_by_its_files(tmp_path: Path) -> None:
    binary = tmp_path / "bin" / "vllm"
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    (packages / "vllm-0.32.0+cpu.dist-info").mkdir(parents=True)
    binary.parent.mkdir()
    binary.touch(mode=0o755)
    program = find_program({"PATH": str(binary.parent)})
    assert program == Program((str(binary),), "0.32.0+cpu", cpu=True)
    assert find_program({"PATH": ""}, str(binary)) == program
    assert find_program({"PATH": "", "SWARMMIND_VLLM": f"{binary} --quiet"}).command == (str(binary), "--quiet")
