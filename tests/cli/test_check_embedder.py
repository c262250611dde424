"""What `check` says of the embedder, and what it rehearses of memories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.runs.test_embedding import CALLS, TEXTS, project

from .conftest import Command


def checked(swarmmind: Command, *arguments: str) -> dict[str, Any]:
    said = swarmmind("check", "task.yaml", "--json", "--allow-code", *arguments)
    assert (said.code, said.err) == (0, "")
    return json.loads(said.out)


def test_check_names_embedder_and_endpoint_and_prices_the_vectors(
    work: Path, swarmmind: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_BASE_URL", "http://127.0.0.1:9/v1")
    price = {"prompt_usd_per_million": 2.0, "completion_usd_per_million": 0.0}
    project(work, prices={"vllm/e": price}, budget={"calls": 12})
    data = checked(swarmmind)
    found = data["estimate"]
    tokens = sum(-(-len(text) // 4) for text in TEXTS)
    assert data["embedder"] == "vllm/e"
    assert data["endpoints"] == {"vllm/e (embedder)": "http://127.0.0.1:9/v1 (without a key)"}
    assert (found["calls"], found["embedding_calls"], found["embedding_tokens"]) == (1, CALLS, tokens)
    assert found["cost_usd"] == pytest.approx(tokens * 2e-6)
    assert data["warnings"] == ["the run needs 13 calls, the budget allows 12"]
    said = swarmmind("check", "task.yaml", "--allow-code")
    assert f"vectors: vllm/e, {CALLS} requests, about {tokens} tokens\n" in said.out


def test_check_says_when_the_price_of_vectors_is_unknown(work: Path, swarmmind: Command) -> None:
    project(work)
    data = checked(swarmmind)
    assert data["estimate"]["cost_usd"] is None
    assert data["warnings"] == ["money is unknown: no price for every model; add it under 'prices'"]
    free = checked(swarmmind, "--set", "embedder=hashing")
    assert (free["estimate"]["cost_usd"], free["estimate"]["embedding_calls"], free["warnings"]) == (0.0, 0, [])


def test_check_rehearses_stores_without_touching_them(work: Path, swarmmind: Command) -> None:
    project(work)
    checked(swarmmind, "--set", "swarm.topology=./mine.py:stores")
    assert not (work / "memory.db").exists()
