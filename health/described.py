"""How the OpenAPI document describes probes and scrapes."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from drf_spectacular.utils import OpenApiResponse, extend_schema

State = Literal["ready", "degraded", "starting", "not_ready", "draining"]
DependencyState = Literal["ok", "degraded", "fail", "starting"]


class Alive(msgspec.Struct):
    """The process runs."""

    status: Literal["healthy"]


class Dependency(msgspec.Struct):
    """One dependency. Who holds the internal key is told its figures too."""

    status: DependencyState


class Readiness(msgspec.Struct):
    """Whether this instance should get traffic, and what is missing."""

    status: State
    dependencies: dict[str, Dependency]
    reasons: list[str]


class Health(msgspec.Struct):
    """What an operator asks first; what may be missing is told to who holds the internal key."""

    status: State
    dependencies: dict[str, Dependency]
    version: str | msgspec.UnsetType = msgspec.UNSET
    environment: Literal["debug", "production"] | msgspec.UnsetType = msgspec.UNSET
    uptime_seconds: float | msgspec.UnsetType = msgspec.UNSET
    timestamp: str | msgspec.UnsetType = msgspec.UNSET
    event_loop: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET


class Refused(msgspec.Struct):
    """Why there is no answer."""

    detail: str


SHAPES = (Alive, Readiness, Health, Refused)
OPEN: list[Any] = [{}]
KEY_OR_NOT: list[Any] = [{}, {"InternalKey": []}]


def _ref(shape: type[msgspec.Struct]) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}


live = extend_schema(
    tags=["health"],
    auth=OPEN,
    responses={(200, "application/json"): OpenApiResponse(_ref(Alive), "always")},
)
ready = extend_schema(
    tags=["health"],
    auth=OPEN,
    responses={
        (200, "application/json"): OpenApiResponse(_ref(Readiness), "ready or degraded"),
        (503, "application/json"): OpenApiResponse(_ref(Readiness), "starting, not_ready or draining"),
    },
)
detailed = extend_schema(
    tags=["health"],
    auth=KEY_OR_NOT,
    responses={(200, "application/json"): OpenApiResponse(_ref(Health), "whatever the state is")},
)
metrics = extend_schema(
    tags=["health"],
    auth=KEY_OR_NOT,
    responses={
        (200, "text/plain"): OpenApiResponse(
            {"type": "string"}, "Prometheus's text form; OpenMetrics for who accepts it"
        ),
        (403, "application/json"): OpenApiResponse(_ref(Refused), "neither METRICS_ALLOW nor the key"),
    },
)
