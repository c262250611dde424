"""A minimal document that satisfies a simple JSON Schema, for models that are programs."""

from __future__ import annotations

import random
from typing import Any

_DEPTH = 16  # of nesting, beyond which a recursive schema is cut with null


def example(schema: Any, rng: random.Random, known: dict[str, Any] | None = None) -> Any:
    """A document for `schema`: constants, one of an enum, what is required of an object, as few items as allowed.

    Args:
        schema: types, `const`, `enum`, `anyOf`/`oneOf` (the first), `allOf` of objects, and `$ref` within itself;
            patterns and formats are not heeded.
        rng: picks from enums.
        known: values for the properties of the outermost object of these names, where the schema allows them.
    """
    return _example(schema, rng, schema, known or {}, 0)


def _example(schema: Any, rng: random.Random, root: Any, known: dict[str, Any], depth: int) -> Any:
    if not isinstance(schema, dict) or depth > _DEPTH:
        return None
    if "$ref" in schema:
        return _example(_resolve(str(schema["$ref"]), root), rng, root, known, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return rng.choice(schema["enum"])
    for branch in ("anyOf", "oneOf"):
        if schema.get(branch):
            return _example(schema[branch][0], rng, root, known, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema or "allOf" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0] if kind else "null"
    if kind == "object":
        return _object(schema, rng, root, known, depth)
    if kind == "array":
        items = [_example(item, rng, root, {}, depth + 1) for item in schema.get("prefixItems", [])]
        missing = int(schema.get("minItems", 0)) - len(items)
        return items + [_example(schema.get("items", {}), rng, root, {}, depth + 1) for _ in range(missing)]
    return _scalar(kind, schema)


def _object(schema: dict[str, Any], rng: random.Random, root: Any, known: dict[str, Any], depth: int) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for part in schema.get("allOf", []):
        inner = _example(part, rng, root, known, depth + 1)
        document |= inner if isinstance(inner, dict) else {}
    properties: dict[str, Any] = schema.get("properties", {})
    required = schema.get("required", [])
    for name in [name for name in properties if name in required or name in known] or list(properties):
        value = _example(properties[name], rng, root, {}, depth + 1)
        document[name] = _fitting(known[name], properties[name], value) if name in known else value
    return document


def _fitting(value: Any, schema: Any, otherwise: Any) -> Any:
    kind = schema.get("type") if isinstance(schema, dict) else None
    enum = schema.get("enum") if isinstance(schema, dict) else None
    if enum:
        return value if value in enum else otherwise
    if kind in ("integer", "number"):
        try:
            return int(value) if kind == "integer" else float(value)
        except (TypeError, ValueError):
            return otherwise
    return value if kind in ("string", None) else otherwise


def _scalar(kind: str, schema: dict[str, Any]) -> Any:
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        high = schema.get("maximum", low)
        value = min(max(0, low), high) if "maximum" in schema else max(0, low)
        return int(value) if kind == "integer" else value
    if kind == "boolean":
        return False
    if kind == "null":
        return None
    return "x" * int(schema.get("minLength", 0))


def _resolve(reference: str, root: Any) -> Any:
    node = root
    for step in reference.removeprefix("#").strip("/").split("/") if reference.startswith("#") else ["?"]:
        if step:
            node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return node
