"""The OpenAPI document: what drf-spectacular makes of the views, completed with the shapes that they speak of."""

from __future__ import annotations

from typing import Any

import msgspec

from events import registry
from events.intake import described as intake
from health import described as health
from rhiz.graph import described as graph

NAMED = {
    "X-Request-ID": {"schema": {"type": "string"}, "description": "the request's name, in every line logged of it"}
}


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A hook of drf-spectacular: adds the components, and what all operations under /internal have in common."""
    shapes: tuple[Any, ...] = (*intake.SHAPES, *graph.SHAPES, *health.SHAPES)
    schemas: dict[str, Any] = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")[1]
    schemas["Event"]["properties"]["event_type"]["enum"] = sorted(registry.known_types())
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    for path, operations in result["paths"].items():
        if path.startswith("/internal/"):
            for operation in operations.values():
                _complete(operation)
    return result


def without_aliases(endpoints: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """A hook of drf-spectacular: addresses as probes write them, without the slash that may follow."""
    return [(path.rstrip("/"), *others) for path, *others in endpoints]


def _complete(operation: dict[str, Any]) -> None:
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
    for response in operation["responses"].values():
        response["headers"] = {**response.get("headers", {}), **NAMED}
