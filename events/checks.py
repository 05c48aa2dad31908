"""System checks: settings of the log that can't work are told before the first event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from events.conf import EventConf

LARGEST_SMALLINT = 32_767

BOUNDS: dict[str, tuple[float, float]] = {
    "lanes": (1, LARGEST_SMALLINT),
    "workers": (1, 1_000),
    "batch_size": (1, 10_000),
    "queue_capacity": (1, 1_000_000_000),
    "max_retries": (0, 20),
    "batch_timeout": (0.5, 86_400),
    "retention_days": (0, 36_500),
}


def register_all() -> None:
    """Register the checks below; called when the app is ready."""
    register(check_settings, Tags.compatibility)
    register(check_database, Tags.database)


def check_settings(**_: Any) -> list[CheckMessage]:
    """Every EVENT_* setting is a number within its bounds."""
    conf = EventConf.from_settings()
    return [
        Error(f"EVENT_{name.upper()} is {value!r}: it takes a number from {low:g} to {high:g}.", id="events.E001")
        for name, (low, high) in BOUNDS.items()
        if not isinstance(value := getattr(conf, name), int | float) or not low <= value <= high
    ]


def check_database(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """The log's database is one that it runs on, set up for it."""
    return [message for alias in databases or [] for message in _check(alias)]


def _check(alias: str) -> Iterator[CheckMessage]:
    connection = connections[alias]
    if connection.vendor not in ("postgresql", "sqlite"):
        yield Error(f"The event log runs on PostgreSQL and SQLite, not on {connection.vendor}.", id="events.E002")
    if connection.vendor == "sqlite" and connection.settings_dict["OPTIONS"].get("transaction_mode") != "IMMEDIATE":
        yield Warning(
            "SQLite without transaction_mode=IMMEDIATE: a worker and an append can fail with 'database is locked'.",
            hint='Set OPTIONS["transaction_mode"] = "IMMEDIATE".',
            id="events.W001",
        )
