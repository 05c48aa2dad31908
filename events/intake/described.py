"""How the OpenAPI document describes the views under /internal: what each takes and answers, refusals included."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Literal
from uuid import UUID

import msgspec
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiRequest, OpenApiResponse, extend_schema

from events import syntax
from events.exceptions import EnvelopeError
from events.fields import ALLOWED
from events.intake import problems, shapes
from events.intake.problems import CONTENT_TYPE, Problem

Place = Literal["query", "header"]
KEY: dict[str, list[str]] = {"InternalKey": []}
STAFF: dict[str, list[str]] = {"StaffSession": []}  # for reading only

SHAPES = (
    *(shapes.Event, shapes.Problem, shapes.Enqueued, shapes.Duplicate, shapes.BatchAnswer, shapes.EventTold),
    *(shapes.DeadLetters, shapes.ByIds, shapes.ByFilter, shapes.Requeued, shapes.Discarded, shapes.Metrics),
)

EVENT_ID = UUID("0191a2b4-7c1d-7e3f-8a55-3f1b2c4d5e6f")
DID = "did:plc:2rzv4orglylo5yb7lfyyxg25"
EVENT = {
    "event_type": "relationship.created",
    "did": DID,
    "payload": {
        "uri": f"at://{DID}/net.rhiz.relationship.record/3lc2example2a",
        "cid": "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
        "participants": [DID, "did:plc:bob"],
        "type": "professional",
        "strength": 80,
        "created_at": "2026-11-01T12:00:00Z",
    },
    "rev": "3lc2example2a",
}
# One of each refusal, made by the functions that make the real ones.
EXAMPLES: dict[str, Problem] = {
    "not an event": problems.not_an_event(EnvelopeError("did", "'alice'", ALLOWED["did"])),
    "bad parameter": problems.bad_parameter("limit", "'many'", "a whole number above 0"),
    "no key": Problem(401, "", "Authentication credentials were not provided."),
    "wrong key": Problem(403, "", "X-Internal-Key is not a key of this service"),
    "not found": Problem(404, "", "there is nothing under this address"),
    "conflict": problems.conflict(EVENT_ID),
    "body too large": problems.body_too_large(5_242_880),
    "another media type": problems.unsupported_media_type("Content-Type", "text/plain", "application/json"),
    "rate limited": problems.rate_limited(1, 5_000, 1),
    "at capacity": problems.at_capacity(7),
    "body too slow": problems.body_too_slow(10.0),
    "too busy": problems.too_busy(),
    "database away": problems.database_away(),
}
ENQUEUED = {"index": 0, "status": "enqueued", "event_id": str(EVENT_ID), "error": None}
REJECTED = {"index": 1, "status": "rejected", "event_id": None, "error": EXAMPLES["not an event"].content}
READING = ("no key", "wrong key", "database away")


def ref(shape: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema that points to a shape among the document's components."""
    return {"$ref": f"#/components/schemas/{shape.__name__}"}


def answer(schema: dict[str, Any], description: str, examples: dict[str, Any]) -> OpenApiResponse:
    """A response with an example under each name."""
    return OpenApiResponse(
        schema, description, examples=[OpenApiExample(name, value) for name, value in examples.items()]
    )


def refusals(*names: str) -> dict[tuple[int, str], OpenApiResponse]:
    """The responses for some of EXAMPLES, grouped by their status."""
    responses: dict[tuple[int, str], OpenApiResponse] = {}
    for status in sorted({EXAMPLES[name].status for name in names}):
        examples = [
            OpenApiExample(name, EXAMPLES[name].content, media_type=CONTENT_TYPE)
            for name in names
            if EXAMPLES[name].status == status
        ]
        responses[status, CONTENT_TYPE] = OpenApiResponse(
            ref(shapes.Problem), HTTPStatus(status).phrase, examples=examples
        )
    return responses


def header(name: str, schema: Any, description: str, *statuses: int, required: bool = True) -> OpenApiParameter:
    """A response header, of these statuses."""
    return OpenApiParameter(
        name, schema, OpenApiParameter.HEADER, description=description, required=required, response=list(statuses)
    )


def query(name: str, schema: dict[str, Any], description: str, place: Place = "query") -> OpenApiParameter:
    """A parameter that may be missing, in the address or in another `place`."""
    return OpenApiParameter(name, schema, place, description=description)


TEXT = {"type": "string"}
CHALLENGE = header("WWW-Authenticate", TEXT, "the header that carries the key", 401)
SECONDS = {"type": "integer", "minimum": 1}
RETRY = header("Retry-After", SECONDS, "seconds until it is worth trying again", 503)


def read(operation: str, answer: OpenApiResponse, *others: str, **options: Any) -> Callable[..., Any]:
    """The description of a GET that answers 200; `others` are refusals that not all of them have."""
    return extend_schema(
        operation_id=operation,
        auth=[KEY, STAFF],  # type: ignore[list-item]  # requirements go into the document as they are
        parameters=[*options.pop("parameters", ()), CHALLENGE, RETRY],
        responses={(200, "application/json"): answer, **refusals(*others, *READING)},
        **options,
    )


post_events = extend_schema(
    operation_id="postEvents",
    tags=["events"],
    auth=[KEY],  # type: ignore[list-item]
    request={
        "application/json": OpenApiRequest(
            {
                "oneOf": [
                    ref(shapes.Event),
                    {"type": "array", "items": ref(shapes.Event), "maxItems": 5_000, "title": "Batch"},
                ]
            },
            examples=[
                OpenApiExample("one event", EVENT, request_only=True),
                OpenApiExample("a batch", [EVENT, EVENT], request_only=True),
            ],
        ),
        "application/x-ndjson": OpenApiRequest(
            {"type": "string", "description": "one event a line, each an Event; at most 5,000"},
            examples=[
                OpenApiExample(
                    "two lines",
                    (msgspec.json.encode(EVENT) + b"\n").decode() * 2,
                    media_type="application/x-ndjson",
                    request_only=True,
                )
            ],
        ),
    },
    parameters=[
        query(
            "X-Request-ID", TEXT, "the request's name: 1-64 of A-Z a-z 0-9 . _ : / + = @ -; else one is made", "header"
        ),
        query("traceparent", TEXT, "W3C Trace Context; kept with the events, ignored if malformed", "header"),
        CHALLENGE,
        header("Retry-After", SECONDS, "seconds until it is worth trying again", 429, 503),
        header("Retry-After", SECONDS, "where an event was refused for want of room", 207, required=False),
        *(
            header(name, TEXT, description, 200, 202, 207, 409, 429, 503, required=False)
            for name, description in (
                ("RateLimit-Policy", 'the limit: `"events";q=<events>;w=<seconds>`'),
                ("RateLimit", 'what is left of it: `"events";r=<events>;t=<seconds until all of it is back>`'),
            )
        ),
    ],
    responses={
        (200, "application/json"): answer(
            ref(shapes.Duplicate),
            "one event, which the log had already",
            {"duplicate": {"status": "duplicate", "event_id": str(EVENT_ID)}},
        ),
        (202, "application/json"): answer(
            {"oneOf": [ref(shapes.Enqueued), ref(shapes.BatchAnswer)]},
            "one event that is new, or a batch in which each is enqueued or a duplicate",
            {
                "one event": {"status": "enqueued", "event_id": str(EVENT_ID)},
                "a batch": {"enqueued": 1, "duplicates": 0, "rejected": 0, "results": [ENQUEUED]},
            },
        ),
        (207, "application/json"): answer(
            ref(shapes.BatchAnswer),
            "a batch in which some are rejected; the others are in the log",
            {"one of two": {"enqueued": 1, "duplicates": 0, "rejected": 1, "results": [ENQUEUED, REJECTED]}},
        ),
        **refusals(
            *("not an event", "no key", "wrong key", "conflict", "body too large", "another media type"),
            *("body too slow", "rate limited", "at capacity", "too busy", "database away"),
        ),
    },
)

event = read(
    "getEvent",
    OpenApiResponse(ref(shapes.EventTold), "its state"),
    "not found",
    tags=["events"],
    parameters=[OpenApiParameter("event_id", {"type": "string", "format": "uuid"}, OpenApiParameter.PATH)],
)
metrics = read("getMetrics", OpenApiResponse(ref(shapes.Metrics), "the figures"), tags=["events"])
dead_letters = read(
    "listDeadLetters",
    OpenApiResponse(ref(shapes.DeadLetters), "a page"),
    "not an event",
    tags=["dead letters"],
    parameters=[
        query("event_type", TEXT, "only of this type"),
        query("did", {"type": "string", "maxLength": syntax.DID_LIMIT}, "only of this DID"),
        query("reason", TEXT, "only of this reason"),
        query("limit", {"type": "integer", "minimum": 1, "default": 100}, "letters on a page; at most 500 are told"),
        query("before", {"type": "integer", "minimum": 1}, "what `next` of the page before has"),
    ],
)


def change(operation: str, answer: type[msgspec.Struct]) -> Callable[..., Any]:
    """The description of a POST that changes dead letters."""
    body = {"oneOf": [ref(shapes.ByIds), ref(shapes.ByFilter)]}
    examples = [
        OpenApiExample("by ids", {"ids": [str(EVENT_ID)], "note": "mended"}, request_only=True),
        OpenApiExample("by filter", {"filter": {"event_type": "relationship.created"}}, request_only=True),
    ]
    return extend_schema(
        operation_id=operation,
        tags=["dead letters"],
        auth=[KEY],  # type: ignore[list-item]
        request={"application/json": OpenApiRequest(body, examples=examples)},
        parameters=[CHALLENGE, RETRY],
        responses={
            (200, "application/json"): OpenApiResponse(ref(answer), "what was changed"),
            **refusals("not an event", "body too large", *READING),
        },
    )


requeue = change("requeueDeadLetters", shapes.Requeued)
discard = change("discardDeadLetters", shapes.Discarded)
