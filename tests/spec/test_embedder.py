"""What a task may say of its embedder, and what it is told when that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmmind.errors import SpecError
from swarmmind.spec.embedder import EmbedderSpec

from .conftest import TASK, Load
from .test_schema import errors


def test_hashing_is_the_default(load: Load) -> None:
    embedder = load().task.embedder
    assert (embedder.name, embedder.at_once, embedder.remote, embedder.batch) == ("hashing", True, False, 64)


@pytest.mark.parametrize(
    ("text", "kind", "model", "remote"),
    [
        ("vllm/BAAI/bge-small-en-v1.5", "vllm", "BAAI/bge-small-en-v1.5", True),
        ("openai/text-embedding-3-small", "openai", "text-embedding-3-small", True),
        ("sentence-transformers/all-MiniLM-L6-v2", "sentence-transformers", "all-MiniLM-L6-v2", False),
        ("onnx/models/minilm", "onnx", "models/minilm", False),
        ("onnx//models/minilm", "onnx", "/models/minilm", False),
        ("{name: hashing, dimensions: 1024}", "hashing", "", False),
    ],
)
def test_names(load: Load, text: str, kind: str, model: str, remote: bool) -> None:
    task = f"embedder: {text}\n{TASK}"
    embedder = load(task).task.embedder
    assert (embedder.kind, embedder.model, embedder.remote) == (kind, model, remote)
    assert errors(task) == []
    assert load(load(task).text).task.embedder == embedder  # as a run keeps it


def test_a_mapping_says_how_it_is_reached(load: Load) -> None:
    text = (
        "embedder: {name: vllm/m, base_url: http://127.0.0.1:8001/v1/, api_key_env: KEY, transport: httpx, batch: 8,\n"
        "  limits: {concurrency: 4}, attempts: 2, deadline_seconds: 7, dimensions: 64}\n"
    )
    embedder = load(text + TASK).task.embedder
    assert (embedder.batch, embedder.dimensions) == (8, 64)
    endpoint = embedder.endpoint()
    assert (endpoint.name, endpoint.base_url, endpoint.api_key_env) == ("vllm/m", "http://127.0.0.1:8001/v1", "KEY")
    assert (endpoint.transport, endpoint.attempts, endpoint.deadline_seconds) == ("httpx", 2, 7)
    assert endpoint.limits.concurrency == 4


@pytest.mark.parametrize(
    ("value", "place", "message"),
    [
        ("hash", "1:11", "embedder: must be an embedder such as 'hashing'"),
        ("hashin", "1:11", "did you mean 'hashing'?"),
        ("vlm/x", "1:11", "did you mean 'vllm'?"),
        ("onnx", "1:11", "'onnx' needs a name after it, e.g. 'onnx/models/minilm'"),
        ("hashing/256", "1:11", "'hashing' has no models, got '256' after it; set its 'dimensions' instead"),
        ("3", "1:11", "embedder: must be an embedder such as 'hashing', or a mapping with its name, got 3"),
        ("{name: vllm/x, bach: 3}", "1:26", "embedder.bach: unknown key; did you mean 'batch'?"),
        ("{name: vllm/x, batch: 0}", "1:33", "embedder.batch: must be at least 1, got 0"),
        ("{name: vllm/x, batch: 5000}", "1:33", "embedder.batch: must be at most 512, got 5000"),
        ("{name: vllm/x, base_url: here}", "1:36", "embedder.base_url: must be a URL such as"),
        ("{name: vllm/x, base_url: 'http://h/v1?x=1'}", "1:36", "without user, query and fragment"),
        ("{name: vllm/x, api_key_env: a-b}", "1:39", "must be the NAME of an environment variable"),
        ("{name: vllm/x, transport: openai}", "1:37", "embedder.transport: must be 'aiohttp' or 'httpx'"),
        ("{name: hashing, base_url: 'http://h/v1'}", "1:11", "'base_url' makes no sense for 'hashing'"),
        ("{name: onnx/m, dimensions: 8}", "1:11", "'dimensions' makes no sense for 'onnx/m'; it is for hashing,"),
        ("{dimensions: 8}", "1:11", "embedder.name: is required but missing"),
    ],
)
def test_mistakes_are_one_line_with_their_place(load: Load, value: str, place: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(f"embedder: {value}\n{TASK}")
    assert f"task.yaml:{place}: " in str(caught.value)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_key_is_never_shown(load: Load) -> None:
    with pytest.raises(SpecError) as caught:
        load("embedder: {name: vllm/x, api_key_env: sk-0123456789abcdef}\n" + TASK)
    assert "0123456789" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("hashing", None),
        ("vllm/m", None),
        ("sentence-transformers/org/m", None),
        ("sentence-transformers/./m", "m"),
        ("onnx/m", "m"),
        ("onnx/./m", "m"),
    ],
)
def test_folders(name: str, folder: str | None, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    found = EmbedderSpec(name=name).folder(tmp_path)
    assert found == (None if folder is None else tmp_path / folder)


def test_an_absolute_folder_is_the_users_own_business(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    assert EmbedderSpec(name=f"onnx/{tmp_path}/m").folder(Path("/nowhere")) == tmp_path / "m"


LONG = "a" * 5000


@pytest.mark.parametrize(
    "text", ["../m", "m/../../m", "~/m", "link", "gone", "/no/such/folder", "a\0b", "/a\0b", LONG, f"/{LONG}"]
)
def test_what_leads_out_or_is_not_there_is_refused(text: str, tmp_path: Path) -> None:
    task = tmp_path / "task"
    for folder in (task, tmp_path / "m"):
        folder.mkdir()
    (task / "link").symlink_to(tmp_path / "m")
    with pytest.raises(ValueError, match=r"inside the task's folder|no such folder|NUL|too long"):
        EmbedderSpec(name=f"onnx/{text}").folder(task)


@pytest.mark.parametrize("text", ["../m", "./../m", "./gone", "~/m", "/no/such/folder", ".", f"./{LONG}"])
def test_a_known_model_is_no_path(text: str, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "task").mkdir()
    try:
        found = EmbedderSpec(name=f"sentence-transformers/{text}").folder(tmp_path / "task")
    except ValueError:
        found = tmp_path / "task"
    assert found == tmp_path / "task"  # refused, or the task's own folder; never looked up by name
