"""What is sent to /internal/events and answered there, as types: the OpenAPI document's components are made of them.

They describe; nothing is parsed or written through them. Tests hold the real answers against them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from events import syntax
from events.payload import PAYLOAD_LIMIT

Did = Annotated[
    str,
    Meta(
        pattern=r"^did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]$",
        max_length=syntax.DID_LIMIT,
        examples=["did:plc:2rzv4orglylo5yb7lfyyxg25"],
    ),
]
Priority = Annotated[int, Meta(ge=0, le=3, description="0 low, 1 normal, 2 high, 3 critical")]
Rev = Annotated[
    str,
    Meta(pattern="^[2-7a-j][2-7a-z]{12}$", description="the repository's revision, a TID", examples=["3lc2example2a"]),
]
EventType = Annotated[str, Meta(pattern="^[a-z0-9_.-]{1,100}$", description="a type that has a processor")]
Count = Annotated[int, Meta(ge=0)]
Moment = Annotated[datetime, Meta(tz=True)]
StateName = Literal["pending", "done", "dead", "discarded", "unknown"]


class Event(msgspec.Struct):
    """One event. Fields that are not listed are ignored."""

    event_type: EventType
    did: Annotated[Did, Meta(description="whose repository it comes from; its events are applied in their order")]
    payload: Annotated[
        dict[str, Any],
        Meta(
            description=f"the record, at most {PAYLOAD_LIMIT:,} bytes. Any JSON object is accepted; a worker "
            "dead-letters one that does not fit its type, with the reason"
        ),
    ]
    priority: Priority = 1
    event_id: Annotated[
        UUID | None,
        Meta(
            description="names the event, so that a repeat is a duplicate. Without it, it is derived of event_type, "
            "did, the payload's uri and cid, and rev or occurred_at; where uri or both of the last are missing it is "
            "random, and a repeat is a second event"
        ),
    ] = None
    rev: Rev | None = None
    occurred_at: Annotated[
        Moment | None, Meta(description="RFC 3339 with a zone, at most 64 characters; -00:00 is refused")
    ] = None


class Problem(msgspec.Struct):
    """A refusal, by RFC 9457. `field`, `problem` and `allowed` say what was wrong with what was sent."""

    type: Annotated[str, Meta(description="urn:rhiz:problem:<kind>, or about:blank: the status says it all")]
    title: Annotated[str, Meta(description="the status in words")]
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: Annotated[str, Meta(description="what happened, for people")]
    field: str | msgspec.UnsetType = msgspec.UNSET
    problem: str | msgspec.UnsetType = msgspec.UNSET
    allowed: str | msgspec.UnsetType = msgspec.UNSET
    event_id: UUID | msgspec.UnsetType = msgspec.UNSET
    retry_after: Annotated[int, Meta(ge=1, description="seconds, as in Retry-After")] | msgspec.UnsetType = (
        msgspec.UNSET
    )


class Enqueued(msgspec.Struct):
    """The event is in the log, durably."""

    status: Literal["enqueued"]
    event_id: UUID


class Duplicate(msgspec.Struct):
    """The log had the event already; nothing was changed."""

    status: Literal["duplicate"]
    event_id: UUID


class Outcome(msgspec.Struct):
    """What became of one event of a batch; `error` where it was rejected, else null."""

    index: Annotated[int, Meta(ge=0, description="its place in the batch, from 0")]
    status: Literal["enqueued", "duplicate", "rejected"]
    event_id: Annotated[UUID | None, Meta(description="null where what was sent has none that can be read")]
    error: Problem | None


class BatchAnswer(msgspec.Struct):
    """What became of a batch, event by event, in the order in which they were sent."""

    enqueued: Count
    duplicates: Count
    rejected: Count
    results: list[Outcome]


class EventStatus(msgspec.Struct):
    """An event's state, attempts, errors and times."""

    event_id: UUID
    event_type: str
    did: str
    priority: Priority
    request_id: Annotated[str | None, Meta(description="X-Request-ID of the request that brought it")]
    traceparent: Annotated[
        str | None, Meta(description="of the request that brought it, as W3C Trace Context writes it")
    ]
    rev: str | None
    occurred_at: Moment | None
    received_at: Moment
    state: Annotated[StateName, Meta(description="unknown: in no table of the log, which is an error")]
    lane: Count
    attempts: Annotated[
        int, Meta(ge=0, description="times that it was applied; of a done event, as far as its failures are kept")
    ]
    crashes: Annotated[int, Meta(ge=0, description="worker processes that died while it ran alone in them")]
    error: Annotated[str | None, Meta(description="of the last attempt, or why it is dead")]
    reason: Annotated[str | None, Meta(description="of its death: the error without what varies; null before")]
    note: Annotated[str | None, Meta(description="why it was discarded")]
    worker: Annotated[str | None, Meta(description="host and pid of the worker that applied it; null before")]
    available_at: Annotated[
        Moment | None,
        Meta(
            description="from when a pending event that was tried or requeued may be applied; null: since its receipt"
        ),
    ]
    finished_at: Annotated[Moment | None, Meta(description="when it was done, died or was discarded")]


class Failure(msgspec.Struct):
    """One failed attempt, without its traceback."""

    attempt: Count
    at: Moment
    worker: str
    type: Annotated[str, Meta(description="of the error")]
    message: str


class EventTold(EventStatus):
    """An event with its failed attempts, the first one first."""

    failures: list[Failure]


class DeadLetter(EventStatus):
    """A dead event with its payload, or, where the server can't decode that, with its JSON text as `raw`."""

    payload: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    raw: str | msgspec.UnsetType = msgspec.UNSET


class DeadLetters(msgspec.Struct):
    """Dead letters, newest first."""

    results: list[DeadLetter]
    next: Annotated[str | None, Meta(description="the address of the following page; null on the last")]


class Filter(msgspec.Struct, forbid_unknown_fields=True):
    """Which dead letters; without any field, all of them."""

    event_type: str | msgspec.UnsetType = msgspec.UNSET
    did: str | msgspec.UnsetType = msgspec.UNSET
    reason: str | msgspec.UnsetType = msgspec.UNSET
    since: Annotated[Moment | msgspec.UnsetType, Meta(description="died then or later")] = msgspec.UNSET
    until: Annotated[Moment | msgspec.UnsetType, Meta(description="died before")] = msgspec.UNSET
    asked: Annotated[Moment | msgspec.UnsetType, Meta(description="had died by then")] = msgspec.UNSET


Note = Annotated[str, Meta(description="why; kept with each event that is discarded")]


class ByIds(msgspec.Struct, forbid_unknown_fields=True):
    """The dead letters with these event_ids; ids of events that are not dead are passed over."""

    ids: Annotated[list[UUID], Meta(max_length=1_000)]
    note: Note = ""


class ByFilter(msgspec.Struct, forbid_unknown_fields=True):
    """The dead letters that match, the oldest 10,000 of them at a time."""

    filter: Filter
    note: Note = ""


class Requeued(msgspec.Struct):
    """How many became pending again, and whether more match than one request changes."""

    requeued: Count
    more: bool


class Discarded(msgspec.Struct):
    """How many were given up, and whether more match than one request changes."""

    discarded: Count
    more: bool


class Latency(msgspec.Struct):
    """Milliseconds from receipt to done, of the last minute; null where nothing was done."""

    p50: float | None
    p95: float | None
    p99: float | None


class CountByPriority(msgspec.Struct):
    """Events by priority."""

    low: Count
    normal: Count
    high: Count
    critical: Count


class SecondsByPriority(msgspec.Struct):
    """Seconds by priority; null where there is no event."""

    low: float | None
    normal: float | None
    high: float | None
    critical: float | None


class BatchInHand(msgspec.Struct):
    """What one step has been applying."""

    events: Count
    lanes: list[int]
    seconds: float


class WorkerStatus(msgspec.Struct):
    """One worker process."""

    worker: str
    state: Literal["alive", "stalled"]
    processed: Count
    failed: Count
    batches: list[BatchInHand]
    idle_seconds: float


class Metrics(msgspec.Struct):
    """The pipeline's figures. Counters are since the log began; rates and times are of the last minute."""

    events_processed: Count
    events_failed: Annotated[int, Meta(ge=0, description="attempts")]
    events_in_queue: Count
    avg_processing_time_ms: float
    throughput_per_second: float
    worker_utilization: Annotated[float, Meta(ge=0, le=1)]
    backpressure_active: bool
    workers: Count
    capacity: Annotated[int, Meta(ge=1)]
    latency_ms: Latency
    ready_by_priority: CountByPriority
    oldest_ready_seconds: SecondsByPriority
    waiting: Count
    dead_letters: Count
    busy_seconds: float
    available_seconds: float
    workers_stalled: Count
    workers_died_recently: Count
    each_worker: list[WorkerStatus]
