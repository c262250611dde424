from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarmmind.spec import load_task_data
from swarmmind.spec.serving import OURS, arguments, checked, model_folder, risky

TASK: dict[str, Any] = {"problem": "What is 2 + 2?", "swarm": {"agents": {"worker": 3}, "topology": "vote"}}

ASKED = [
    "trust-remote-code",
    "middleware",
    "tool-parser-plugin",
    "worker-cls",
    "scheduler-cls",
    "logits-processors",
    "load-format",
    "hf-overrides",
    "kv-transfer-config",
    "speculative-config",
    "compilation-config",
    "compilation-config.mode",
    "distributed-executor-backend",
    "allowed-local-media-path",
    "lora-modules",
    "otlp-traces-endpoint",
    "download-dir",
    "trust",  # what vLLM would take for --trust-remote-code
]


@pytest.mark.parametrize("name", ASKED)
def test_what_may_run_code_or_read_files_is_asked_for(name: str, tmp_path: Path) -> None:
    assert risky(checked({name: "x"}), tmp_path) == [name]
    assert risky(checked({name: True}), tmp_path) == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quantization", "../fp8.py"),
        ("reasoning-parser", "/tmp/parser"),
        ("generation-config", "./folder"),
        ("structured-outputs-config", {"backend": "xgrammar", "reasoning_parser_plugin": "x.py"}),
        ("max-num-seqs", [1, 2]),
        ("dtype", {"a": 1}),
        ("chat-template", "../template.jinja"),
        ("chat-template", "/etc/passwd"),
        ("revision", "-x"),
    ],
)
def test_so_are_values_that_a_plain_flag_has_not(name: str, value: Any, tmp_path: Path) -> None:
    assert risky({name: value}, tmp_path) == [name]


def test_plain_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / "template.jinja").touch()
    flags = checked(
        {
            "max_num_seqs": 64,
            "--dtype": "bfloat16",
            "no-enable-prefix-caching": True,
            "generation-config": "auto",
            "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
            "chat-template": "template.jinja",
            "gpu-memory-utilization": 0.5,
        }
    )
    assert risky(flags, tmp_path) == []
    assert list(flags)[:2] == ["max-num-seqs", "dtype"]


@pytest.mark.parametrize("name", sorted(OURS))
def test_where_it_listens_is_not_the_tasks_to_say(name: str) -> None:
    for spelling in (name, f"--{name}", name.replace("-", "_"), f"no-{name}"):
        with pytest.raises(ValueError, match="cannot be set here"):
            checked({spelling: "x"})


def test_a_flag_is_given_once() -> None:
    with pytest.raises(ValueError, match="is there twice"):
        checked({"max-num-seqs": 1, "max_num_seqs": 2})


def test_arguments() -> None:
    flags = {"a": True, "b": False, "c": None, "d": "--e", "f": {"g": 1}, "h": [1, "i"], "j": 0.5}
    assert arguments(flags) == ["--a", "--no-b", "--d=--e", '--f={"g": 1}', "--h", "1", "i", "--j=0.5"]


def test_folders_and_names(tmp_path: Path) -> None:
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    assert model_folder("./models/tiny", tmp_path) == tmp_path / "models" / "tiny"
    assert model_folder(str(tmp_path), Path("/")) == tmp_path
    assert model_folder("Qwen/Qwen3-8B", tmp_path) is None
    for wrong in ("--config=x", "-x", "a b", "./models/huge", "../tiny", "~/tiny", "/no/such/folder", "a/../../b\0"):
        with pytest.raises(ValueError, match=r"must|no such folder"):
            model_folder(wrong, tmp_path)


def test_allowed_flags_are_listed_as_code(tmp_path: Path) -> None:
    model = {"vllm": "x", "manage": True, "flags": {"trust-remote-code": True, "max-num-seqs": 4}}
    loaded = load_task_data({**TASK, "model": model}, tmp_path, allow_code=True)
    assert loaded.code == ["vllm --trust-remote-code"]
    assert loaded.task.model.name == "vllm/x"


@pytest.mark.parametrize("place", ["model", "models"])
def test_servers_of_every_model_are_checked(place: str, tmp_path: Path) -> None:
    model = {"vllm": "x", "manage": True, "flags": {"trust-remote-code": True}}
    data = {**TASK, "model": model} if place == "model" else {**TASK, "model": "vllm/y", "models": {"big": model}}
    with pytest.raises(Exception, match="pass --allow-code if you trust it"):
        load_task_data(data, tmp_path)


def test_overrides_can_manage_a_model_that_is_a_text(tmp_path: Path) -> None:
    loaded = load_task_data({**TASK, "model": "vllm/x"}, tmp_path, overrides=["model.manage=true", "model.replicas=2"])
    assert (loaded.task.model.name, loaded.task.model.manage, loaded.task.model.replicas) == ("vllm/x", True, 2)
