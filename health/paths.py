"""The paths that probes and scrapes ask."""

from __future__ import annotations

LIVE = ("/health", "/livez")
READY = ("/health/ready", "/readyz")
DETAILED = ("/health/detailed",)
METRICS = ("/metrics",)

_PROBES = frozenset(path for paths in (LIVE, READY, DETAILED, METRICS) for path in paths)


def is_probe(path: str) -> bool:
    """Whether `path` is one of the above, with or without a slash at its end."""
    return path.rstrip("/") in _PROBES
