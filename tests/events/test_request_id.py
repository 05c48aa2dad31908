"""A request's name: taken or made, answered back, and found again in the worker's lines about its events."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from events.intake.request_id import chosen
from events.models import Event
from events.traceparent import trace_id, well_formed
from events.worker.batch import Result
from events.worker.lines import MOST, tell

TRACE = "0af7651916cd43dd8448eb211c80319c"
Take = Callable[..., Result]


@pytest.mark.parametrize(
    ("request_id", "traceparent", "name"),
    [
        ("indexer-7", "", "indexer-7"),
        ("indexer-7", f"00-{TRACE}-b7ad6b7169203331-01", "indexer-7"),
        ("", f"00-{TRACE}-b7ad6b7169203331-01", TRACE),
        ("two words", f"00-{TRACE}-b7ad6b7169203331-01", TRACE),
    ],
)
def test_the_sender_names_his_request(request_id: str, traceparent: str, name: str) -> None:
    assert chosen(request_id, traceparent).request_id == name


@pytest.mark.parametrize("request_id", ["", "two words", 'a"b', "x" * 65, "a\nb", "\x00", "ä"])
@pytest.mark.parametrize("traceparent", ["", "00-zz-1-01", f"00-{'0' * 32}-b7ad6b7169203331-01"])
def test_a_name_is_made_where_none_fits(request_id: str, traceparent: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", chosen(request_id, traceparent).request_id)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/internal/events/metrics", "/metrics", "/nowhere", "/health/ready"])
def test_every_answer_of_django_bears_the_name(api: APIClient, path: str) -> None:
    assert api.get(path, headers={"X-Request-ID": "indexer-7"})["X-Request-ID"] == "indexer-7"
    assert api.get(path)["X-Request-ID"] != api.get(path)["X-Request-ID"]


async def test_the_name_is_answered_under_asgi_too(async_client: Any) -> None:
    response = await async_client.get("/nowhere", headers={"X-Request-ID": "indexer-7"})
    assert response["X-Request-ID"] == "indexer-7"


def post(api: APIClient, did: str = "did:plc:a", **payload: Any) -> str:
    event = {"event_type": "test.record", "did": did, "payload": payload}
    response = api.post("/internal/events", event, headers={"X-Request-ID": "indexer-7"})
    assert response.status_code == 202
    return str(response.json()["event_id"])


def test_an_event_keeps_the_name_of_the_request_that_brought_it(api: APIClient, lanes: None) -> None:
    event_id = post(api, n=1)
    assert Event.objects.get(event_id=event_id).request_id == "indexer-7"
    assert api.get(f"/internal/events/{event_id}").json()["request_id"] == "indexer-7"


def test_the_worker_tells_of_a_failure_under_that_name(
    api: APIClient, take: Take, caplog: pytest.LogCaptureFixture
) -> None:
    failing, refused = post(api, n=1, do="fail"), post(api, "did:plc:b", n=2, do="refuse")
    tell(take().outcome)
    told = {record.event_id: record for record in caplog.records if record.name == "events.worker.lines"}  # type: ignore[attr-defined]
    assert [told[failing].getMessage(), told[refused].getMessage()] == ["attempt failed", "event dead"]
    for record in told.values():
        assert (record.request_id, record.attempt) == ("indexer-7", 1)  # type: ignore[attr-defined]
    assert told[failing].error == "ValueError: told to fail: 1"  # type: ignore[attr-defined]
    assert told[failing].retry_in_seconds > 0  # type: ignore[attr-defined]


def test_what_is_done_has_a_line_at_debug_only(api: APIClient, take: Take, caplog: pytest.LogCaptureFixture) -> None:
    post(api, n=1)
    tell(take().outcome)
    assert not caplog.records
    caplog.set_level("DEBUG", "events.worker.lines")
    event_id = post(api, n=2)
    tell(take().outcome)
    [record] = [record for record in caplog.records if record.name == "events.worker.lines"]
    assert (record.getMessage(), record.event_id, record.request_id) == ("event done", event_id, "indexer-7")  # type: ignore[attr-defined]


def test_many_failures_of_a_batch_are_told_in_few_lines(
    send: Callable[..., Any], take: Take, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(MOST + 5):
        send(f"did:plc:{n}", n, do="fail")
    tell(take().outcome)
    assert len(caplog.records) == MOST + 1
    assert caplog.records[-1].events == 5  # type: ignore[attr-defined]


PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (PARENT, PARENT),
        (f"cc-{TRACE}-b7ad6b7169203331-01", f"cc-{TRACE}-b7ad6b7169203331-01"),
        (f"cc-{TRACE}-b7ad6b7169203331-01-what-comes-later", f"cc-{TRACE}-b7ad6b7169203331-01"),
    ],
)
def test_a_traceparent_is_known_by_its_form(given: str, kept: str) -> None:
    assert well_formed(given) == kept
    assert trace_id(kept) == TRACE


@pytest.mark.parametrize(
    "given",
    [
        "",
        PARENT[:-1],
        PARENT.upper(),
        f"{PARENT}0",
        f"{PARENT}-more",
        f"{PARENT}\n",
        f" {PARENT}",
        f"ff-{TRACE}-b7ad6b7169203331-01",
        f"cc-{TRACE}-b7ad6b7169203331-01more",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-b7ad6b7169203331-0\u0661",
        "00-" * 100_000,
    ],
)
def test_what_is_no_traceparent_is_ignored(given: str) -> None:
    assert well_formed(given) is None


def test_an_event_keeps_its_traceparent_and_tells_it(api: APIClient, lanes: None) -> None:
    event = {"event_type": "test.record", "did": "did:plc:a", "payload": {}}
    headers = {"X-Request-ID": "indexer-7", "traceparent": PARENT}
    event_id = api.post("/internal/events", [event], headers=headers).json()["results"][0]["event_id"]
    told = api.get(f"/internal/events/{event_id}").json()
    assert (told["request_id"], told["traceparent"]) == ("indexer-7", PARENT)
    plain = post(api, n=1)
    assert api.get(f"/internal/events/{plain}").json()["traceparent"] is None


def test_a_workers_line_has_the_trace(
    api: APIClient, lanes: None, take: Take, caplog: pytest.LogCaptureFixture
) -> None:
    event = {"event_type": "test.record", "did": "did:plc:a", "payload": {"n": 1, "do": "refuse"}}
    headers = {"X-Request-ID": "indexer-7", "traceparent": PARENT}
    assert api.post("/internal/events", event, headers=headers).status_code == 202
    tell(take().outcome)
    [record] = [record for record in caplog.records if record.name == "events.worker.lines"]
    assert (record.request_id, record.trace_id) == ("indexer-7", TRACE)  # type: ignore[attr-defined]
