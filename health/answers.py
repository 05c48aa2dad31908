"""What the tiers say, made from the samples; pure but for the samples it is given."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.conf import settings

_STARTED = time.monotonic()

LIVE: dict[str, Any] = {"status": "healthy"}
LIVE_BODY = json.dumps(LIVE).encode()
LIVE_HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(LIVE_BODY)).encode()),
    (b"cache-control", b"no-store"),
]


class Status(StrEnum):
    """What a dependency is known to be, best first. Only a hard one's FAIL or STARTING keeps traffic away."""

    OK = "ok"
    DEGRADED = "degraded"
    FAIL = "fail"
    STARTING = "starting"


@dataclass(frozen=True, slots=True)
class Answer:
    """One dependency's last answer. `latency` and `age` are seconds.

    `reason` is told to everyone, so it names no host and no number; `figures` are for the operator's tier.
    """

    status: Status
    reason: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    latency: float | None = None
    age: float | None = None
    hard: bool = False  # without it no request can be served; what the others miss is worked around and told

    def worse_than(self, other: Answer) -> bool:
        """Whether this is the worse news."""
        return _BAD_NEWS.index(self.status) > _BAD_NEWS.index(other.status)


_BAD_NEWS = tuple(Status)


def ready(answers: dict[str, Answer], *, draining: bool) -> tuple[int, dict[str, Any]]:
    """The HTTP status and body of the readiness tier."""
    status = overall(answers, draining=draining)
    body: dict[str, Any] = {
        "status": status,
        "dependencies": {name: {"status": answer.status} for name, answer in answers.items()},
        "reasons": [answer.reason for answer in answers.values() if answer.reason],
    }
    return (200 if status in ("ready", "degraded") else 503), body


def overall(answers: dict[str, Answer], *, draining: bool) -> str:
    """One word: ready, degraded, starting, not_ready or draining."""
    hard = {answer.status for answer in answers.values() if answer.hard}
    if draining:
        return "draining"
    if Status.STARTING in hard:
        return "starting"
    if Status.FAIL in hard:
        return "not_ready"
    return "ready" if all(answer.status is Status.OK for answer in answers.values()) else "degraded"


def detailed(
    answers: dict[str, Answer], *, draining: bool, figures: bool, event_loop: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The operator's tier; names and numbers only where `figures`. `event_loop` is what is known of its lag."""
    body: dict[str, Any] = {"status": overall(answers, draining=draining), "dependencies": {}}
    if figures:
        body |= {
            "version": settings.VERSION,
            "environment": "debug" if settings.DEBUG else "production",
            "uptime_seconds": round(time.monotonic() - _STARTED, 1),
            "timestamp": datetime.now(UTC).isoformat(),
            "event_loop": event_loop,
        }
    for name, answer in answers.items():
        body["dependencies"][name] = {"status": answer.status} | (_told(answer) if figures else {})
    return body


def _told(answer: Answer) -> dict[str, Any]:
    latency = None if answer.latency is None else round(answer.latency * 1_000, 2)
    age = None if answer.age is None else round(answer.age, 1)
    return {"reason": answer.reason, "latency_ms": latency, "age_seconds": age, **answer.figures}
