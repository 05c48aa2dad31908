"""The condition of a worker, from what its process measures itself."""

from __future__ import annotations

from enum import StrEnum

from events.models.worker import HEARTBEAT

# Seconds without a heartbeat after which the database counts as away: one may be due, and takes a moment.
AWAY = HEARTBEAT + 1.5


class Condition(StrEnum):
    """The condition of a worker. Only a working one counts as ready."""

    WORKING = "ok"
    STARTING = "starting"
    AWAY = "database away"
    STALLED = "stalled"
    DRAINING = "draining"


def condition(*, draining: bool, joined: bool, silence: float, idle: float, patience: float) -> Condition:
    """The worst that holds. All are seconds.

    `silence`: since the last heartbeat that the database took. `idle`: since a step last ended in good order, with
    or without events. It looks for events several times a second, so `idle` grows while steps hang, and `patience`
    is how long one may take.
    """
    if draining:
        return Condition.DRAINING
    if not joined:
        return Condition.STARTING
    if silence > AWAY:
        return Condition.AWAY
    return Condition.STALLED if idle >= patience else Condition.WORKING
