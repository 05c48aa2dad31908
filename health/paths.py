"""The paths that probes ask."""

from __future__ import annotations

LIVE = ("/health", "/livez")
READY = ("/health/ready", "/readyz")
DETAILED = ("/health/detailed",)

_PROBES = frozenset(path for paths in (LIVE, READY, DETAILED) for path in paths)


def is_probe(path: str) -> bool:
    """Whether `path` is one of the above, with or without a slash at its end."""
    return path.rstrip("/") in _PROBES
