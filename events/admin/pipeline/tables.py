"""The tables of the pipeline page: depth by priority, workers, lanes, and the events that block their DIDs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Q

from events.admin.words import count, duration
from events.log import depth
from events.models import Event, Worker
from events.stats import PRIORITIES, Figures
from events.visible import last_line

DEEPEST = 8  # lanes shown
BLOCKERS = 10  # DIDs shown
WORKERS = 30  # rows shown
ENDED = timedelta(hours=1)  # how long a worker that ended is shown


class WorkerRow(NamedTuple):
    """One worker process. `state` is also its class in the style sheet."""

    worker: Worker
    state: str  # working, idle, stalled, silent, died, stopped
    doing: str
    since: str
    heard: str
    applied: str
    failed: str


class LaneRow(NamedTuple):
    """One lane: how deep, by which worker it was held at that one's last heartbeat, and its oldest event."""

    lane: int
    ready: str
    waiting: str
    held_by: str
    oldest: Any  # the event, with its state
    age: str


class BlockerRow(NamedTuple):
    """An event that failed and is tried again; its DID waits for it."""

    event: Any  # with its state
    reason: str
    next_try: str
    behind: str


def priorities(now: Figures) -> list[tuple[str, str, str]]:
    """Name, ready events and age of the oldest, the most urgent first."""
    return [
        (name, count(now.depth.ready.get(value, 0), now.capacity), duration(now.depth.oldest.get(value)))
        for value, name in sorted(PRIORITIES.items(), reverse=True)
    ]


def workers(now: Figures, moment: datetime) -> list[WorkerRow]:
    """Those alive, those that fell silent, and those that ended lately; the worst first."""
    recent = Q(stopped_at__gt=moment - ENDED) | Q(died_at__gt=moment - ENDED)
    rows = Worker.objects.filter(Q(stopped_at=None, died_at=None) | recent).order_by("-id")[:WORKERS]
    alive = {worker.pk for worker in now.alive}
    stalled = {worker.pk for worker in now.stalled}
    told = [_worker_row(worker, worker.pk in alive, worker.pk in stalled, moment) for worker in rows]
    order = ("stalled", "silent", "died", "working", "idle", "stopped")
    return sorted(told, key=lambda row: order.index(row.state))


def lanes(now: Figures, moment: datetime) -> list[LaneRow]:
    """The deepest lanes."""
    deepest = depth.deepest(DEEPEST, now.capacity + 1)
    oldest = _events(each.oldest for each in deepest)
    holders = _holders(now.alive)
    return [
        LaneRow(
            each.lane,
            count(each.ready, now.capacity),
            count(each.waiting, now.capacity),
            holders.get(each.lane, ""),
            event := oldest.get(each.oldest or 0),
            duration((moment - event.received_at).total_seconds()) if event else "-",
        )
        for each in deepest
    ]


def blockers(moment: datetime) -> list[BlockerRow]:
    """The events that block their DIDs."""
    found = depth.blockers(BLOCKERS)
    events = _events(each.id for each in found)
    return [
        BlockerRow(
            event,
            last_line(event.error),
            _in(event.available_at, moment),
            count(each.pending - 1, depth.BEHIND - 2),
        )
        for each in found
        if (event := events.get(each.id)) is not None and event.state == Event.State.PENDING  # it may have ended since
    ]


def _worker_row(worker: Worker, alive: bool, stalled: bool, moment: datetime) -> WorkerRow:
    state, doing = _doing(worker, alive, stalled)
    return WorkerRow(
        worker,
        state,
        doing,
        duration((moment - worker.started_at).total_seconds()),
        duration(max(0.0, (moment - worker.heartbeat_at).total_seconds())),
        count(worker.processed),
        count(worker.failed),
    )


def _doing(worker: Worker, alive: bool, stalled: bool) -> tuple[str, str]:
    """A worker's state, and what it is doing."""
    if worker.died_at:
        return "died", "ended without deregistering"
    if worker.stopped_at:
        return "stopped", "ended"
    if not alive:
        return "silent", "not heard of"
    doing = "; ".join(map(_batch, worker.batches))
    if worker.announced:
        alone = "one event alone" if worker.alone else f"{len(worker.announced)} events"
        doing = f"careful: announced {alone}{'; ' if doing else ''}{doing}"
    if stalled:
        return "stalled", f"no progress for {duration(worker.idle_seconds)}{'; ' if doing else ''}{doing}"
    state = "working" if doing else "idle"
    return state, "; ".join((doing or "nothing to do", *map(_failing, worker.failing_lanes)))


def _batch(batch: dict[str, Any]) -> str:
    held = batch["lanes"]
    lanes = f"lane {held[0]}" if len(held) == 1 else f"lanes {', '.join(map(str, held))}"
    return f"{batch['events']} events of {lanes} for {duration(batch['seconds'])}"


def _failing(lane: dict[str, Any]) -> str:
    return (
        f"lane {lane['lane']} failed {lane['times']} times in {duration(lane['seconds'])}: {last_line(lane['error'])}"
    )


def _holders(alive: Iterable[Worker]) -> dict[int, str]:
    return {lane: str(worker) for worker in alive for batch in worker.batches for lane in batch["lanes"]}


def _events(ids: Iterable[int | None]) -> dict[int, Any]:
    """These events with their states, without their payloads."""
    wanted = [each for each in ids if each is not None]
    return Event.objects.with_state().defer("payload").in_bulk(wanted)


def _in(due: datetime | None, moment: datetime) -> str:
    seconds = (due - moment).total_seconds() if due else 0.0
    return f"in {duration(seconds)}" if seconds > 0 else "due now"
