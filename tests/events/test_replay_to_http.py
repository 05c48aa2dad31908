"""Replaying a file to a server: what is sent again, what is halved, what ends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings

from events.models import Event
from events.replay.patience import Patience, ReplayError
from events.replay.tally import Tally
from events.replay.to_http import ToHTTP, endpoint
from tests.events.lines import bodies, body, numbered

URL = "http://intake.test"


class Intake:
    """A server that has seen requests, and answers each from a list of answers, then with its usual one."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[list[str]] = []
        self.slept: list[float] = []
        self.tally = Tally()
        self.headers = httpx.Headers()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.headers = request.headers
        self.requests.append([json.loads(line)["event_id"] for line in request.content.split(b"\n")])
        answer = self.answers.pop(0) if self.answers else self.accepted(len(self.requests[-1]))
        if isinstance(answer, Exception):
            raise answer
        return answer

    @staticmethod
    def accepted(count: int) -> httpx.Response:
        return batch_answer(202, [("enqueued", None)] * count)

    def send(self, parts: list[bytes]) -> Tally:
        sender = ToHTTP(
            URL,
            "key",
            self.tally,
            transport=httpx.MockTransport(self),
            patience=Patience(self.slept.append),
            sleep=self.slept.append,
        )
        sender.send(numbered(parts))
        return self.tally


def batch_answer(
    status: int, results: list[tuple[str, int | None]], headers: dict[str, str] | None = None
) -> httpx.Response:
    content = [
        {"index": n, "status": s, "event_id": None, "error": e and {"status": e, "detail": f"because {e}"}}
        for n, (s, e) in enumerate(results)
    ]
    return httpx.Response(status, json={"results": content}, headers=headers)


class TestToHTTP:
    def test_url_is_a_root_or_the_endpoint(self) -> None:
        whole = "http://host:8000/internal/events"
        for url in ("http://host:8000", "http://host:8000/", whole, whole + "/"):
            assert endpoint(url) == whole
        assert endpoint("https://host/rhiz") == "https://host/rhiz/internal/events"

    @pytest.mark.parametrize("url", ["", "host:8000", "ftp://host", "http://", "/internal/events"])
    def test_no_url(self, url: str) -> None:
        with pytest.raises(ReplayError):
            endpoint(url)

    def test_counts_results(self) -> None:
        intake = Intake(batch_answer(207, [("enqueued", None), ("duplicate", None), ("rejected", 409)]))
        tally = intake.send(bodies(3))
        assert str(tally) == "1 enqueued, 1 duplicates, 1 rejected"
        assert tally.reasons == ["line 3: because 409"]
        assert (intake.headers["X-Internal-Key"], intake.headers["Content-Type"]) == ("key", "application/x-ndjson")

    def test_only_what_had_no_room_is_sent_again(self) -> None:
        parts = bodies(4)
        ids = [json.loads(part)["event_id"] for part in parts]
        results = [("enqueued", None), ("rejected", 503), ("rejected", 400), ("rejected", 503)]
        intake = Intake(batch_answer(207, results, {"Retry-After": "7"}))
        assert str(intake.send(parts)) == "3 enqueued, 0 duplicates, 1 rejected"
        assert intake.requests == [ids, [ids[1], ids[3]]]
        assert intake.slept == [7.0]

    @pytest.mark.parametrize("status", [429, 503])
    def test_retry_after_is_honoured(self, status: int) -> None:
        intake = Intake(httpx.Response(status, headers={"Retry-After": "3"}))
        assert str(intake.send(bodies(2))) == "2 enqueued, 0 duplicates, 0 rejected"
        assert intake.slept == [3.0]
        assert intake.requests[0] == intake.requests[1]

    def test_a_batch_that_is_too_fast_again_and_again_is_halved(self) -> None:
        limited = httpx.Response(429, headers={"Retry-After": "1"})
        intake = Intake(limited, limited)
        assert intake.send(bodies(4)).enqueued == 4
        assert [len(request) for request in intake.requests] == [4, 4, 2, 2]
        assert [event for request in intake.requests[2:] for event in request] == intake.requests[0]

    def test_a_body_that_is_too_large_is_halved_in_order(self) -> None:
        intake = Intake(httpx.Response(413), httpx.Response(413))
        tally = intake.send(bodies(3))
        assert [len(request) for request in intake.requests] == [3, 1, 2]
        assert (tally.enqueued, tally.rejected) == (2, 1)

    @pytest.mark.parametrize(
        "failure",
        [
            httpx.ConnectError("refused"),
            httpx.ReadTimeout("silence"),
            httpx.RemoteProtocolError("server left"),
            httpx.Response(502),
            httpx.Response(504),
        ],
    )
    def test_a_lost_answer_is_asked_for_again_with_the_same_ids(self, failure: httpx.Response | Exception) -> None:
        intake = Intake(failure, batch_answer(202, [("duplicate", None), ("enqueued", None)]))
        assert str(intake.send([body(), body()])) == "1 enqueued, 1 duplicates, 0 rejected"
        assert intake.requests[0] == intake.requests[1]
        assert len(intake.slept) == 1

    @pytest.mark.parametrize("status", [401, 403, 404, 415, 500, 301])
    def test_what_every_request_would_meet_ends_it(self, status: int) -> None:
        problem = httpx.Response(status, json={"detail": "says why"})
        with pytest.raises(ReplayError, match=f"answered {status}: says why"):
            Intake(problem).send(bodies(1))

    @pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"results":[{"index":9,"status":"rejected"}]}'])
    def test_another_server_ends_it(self, content: bytes) -> None:
        with pytest.raises(ReplayError, match="does not answer as an intake"):
            Intake(httpx.Response(202, content=content)).send(bodies(1))

    @override_settings(INTERNAL_API_KEY="")
    def test_a_key_is_needed(self, file: Callable[..., str]) -> None:
        with pytest.raises(CommandError, match="--via-http needs a key"):
            call_command("replay", file(*bodies(1)), "--via-http", URL)


@pytest.mark.django_db(transaction=True)
class TestLiveServer:
    @pytest.fixture
    def server(self, live_server: Any) -> str:
        return live_server.url

    def test_events_arrive_in_order_once(
        self, file: Callable[..., str], server: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        parts = bodies(1_200)
        name = file(*parts, name="events.jsonl.gz")
        call_command("replay", name, "--via-http", server)
        call_command("replay", name, "--via-http", f"{server}/internal/events")
        assert capsys.readouterr().out.splitlines() == [
            "1200 enqueued, 0 duplicates, 0 rejected",
            "0 enqueued, 1200 duplicates, 0 rejected",
        ]
        stored = Event.objects.order_by("id").values_list("event_id", flat=True)
        assert [str(event_id) for event_id in stored] == [json.loads(part)["event_id"] for part in parts]

    def test_rejections_are_told_as_those_of_the_log_are(
        self, file: Callable[..., str], server: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        name = file(body(), b"{", body(did="nobody"), b"", body(event_type="no.such"))
        told = []
        for options in ([], ["--via-http", server]):
            with pytest.raises(CommandError, match="3 events rejected"):
                call_command("replay", name, *options)
            told.append(capsys.readouterr())
        assert told[0] == told[1]

    def test_a_wrong_key_ends_it(self, file: Callable[..., str], server: str) -> None:
        with pytest.raises(CommandError, match=r"stopped: .* answered 403"):
            call_command("replay", file(*bodies(1)), "--via-http", server, "--key", "another")
