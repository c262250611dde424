"""The task file's JSON Schema, for editors: `# yaml-language-server: $schema=...` on top of a task."""

from __future__ import annotations

from typing import Any

from swarmmind.spec.task import Task


def task_schema() -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) that accepts every task file without `${NAME}` in place of numbers."""
    schema = Task.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "SwarmMind task", **schema}
