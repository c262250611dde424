"""The JSON Schema says what the loader says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from swarmmind.spec import task_schema

from .conftest import TASK
from .test_load import FULL

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/task.yaml"))
BROKEN = Path(__file__).parents[1] / "fixtures" / "broken"


def errors(text: str) -> list[Any]:
    return list(jsonschema.Draft202012Validator(task_schema()).iter_errors(yaml.safe_load(text)))


def test_it_is_a_schema_and_json() -> None:
    schema = task_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema
    assert schema["properties"]["schema"]["const"] == "swarmmind/v1"


@pytest.mark.parametrize("text", [TASK, FULL, *(path.read_text(encoding="utf-8") for path in EXAMPLES)])
def test_it_accepts_right_tasks(text: str) -> None:
    assert errors(text) == []


@pytest.mark.parametrize(
    "name",
    ["unknown-key", "unknown-key-in-group", "missing-model", "zero-count", "word-for-failure", "tokens-unit", "top-p"],
)  # fmt: skip
def test_it_refuses_what_the_loader_refuses(name: str) -> None:
    assert errors((BROKEN / f"{name}.yaml").read_text(encoding="utf-8"))


def test_every_field_is_described() -> None:
    def check(schema: dict[str, Any], name: str) -> None:
        for key, field in schema.get("properties", {}).items():
            assert field.get("description"), f"{name}.{key}"

    schema = task_schema()
    check(schema, "Task")
    for name, inner in schema["$defs"].items():
        check(inner, name)
