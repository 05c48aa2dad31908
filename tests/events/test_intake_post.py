"""POST /internal/events, line by line of the contract, through every door."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError
from django.db.models import TextField
from django.db.models.functions import Cast
from django.urls import resolve
from pytest_django import Settings

from events.intake import core
from events.intake.admission import Admission
from events.log import append_async
from events.models import Event, Lane, Pending
from tests.events.doors import DOORS, EACH_DOOR, JSON, LINES, PATH, Reply, assert_problem
from tests.events.hostile import DID, NOT_EVENTS, STRANGE, UNDECODABLE, UNUSUAL, URI, event

pytestmark = pytest.mark.django_db

Post = Callable[..., Reply]
REV = "3jzfcijpj2z2a"


@pytest.fixture(autouse=True)
def _own_admission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "admission", Admission(background=False))


@pytest.fixture(params=EACH_DOOR)
def post(request: pytest.FixtureRequest, internal_key: str) -> Post:
    """POST a body through a door, with the key and as JSON unless told otherwise."""

    def send(body: bytes, media_type: str = JSON, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return DOORS[request.param](body, {"X-Internal-Key": internal_key, "Content-Type": media_type} | named)

    return send


class TestOne:
    def test_new_is_202(self, post: Post) -> None:
        event_id = str(uuid4())
        reply = post(event('{"a":1}', event_id=event_id, priority=3))
        assert (reply.status, reply.content) == (202, {"status": "enqueued", "event_id": event_id})
        stored = Event.objects.with_state().get(event_id=event_id)
        assert (stored.state, stored.did, stored.priority, stored.payload) == (Event.State.PENDING, DID, 3, {"a": 1})

    def test_the_same_again_is_200(self, post: Post) -> None:
        event_id = str(uuid4())
        post(event('{"a":1,"b":2}', event_id=event_id))
        reply = post(event('{ "b": 2.0, "a": 1 }', event_id=event_id, priority=2))
        assert (reply.status, reply.content) == (200, {"status": "duplicate", "event_id": event_id})
        assert Event.objects.count() == 1

    def test_another_content_under_the_same_id_is_409(self, post: Post) -> None:
        event_id = str(uuid4())
        post(event('{"a":1}', event_id=event_id))
        content = assert_problem(post(event('{"a":2}', event_id=event_id)), 409)
        assert (content["field"], content["event_id"]) == ("event_id", event_id)
        assert Event.objects.get().payload == {"a": 1}

    def test_a_repeat_without_event_id_is_a_duplicate(self, post: Post) -> None:
        body = event(json.dumps({"uri": URI, "cid": "bafyreib"}), rev=REV)
        first, second = post(body), post(body)
        assert (first.status, second.status) == (202, 200)
        assert first.content["event_id"] == second.content["event_id"]

    def test_a_derived_id_is_never_a_conflict(self, post: Post) -> None:
        post(event(json.dumps({"uri": URI, "cid": "bafyreib", "a": 1}), rev=REV))
        assert post(event(json.dumps({"uri": URI, "cid": "bafyreib", "a": 2}), rev=REV)).status == 200

    def test_without_what_identifies_it_a_repeat_is_a_second_event(self, post: Post) -> None:
        body = event(json.dumps({"uri": URI, "cid": "bafyreib"}))
        assert [post(body).status, post(body).status] == [202, 202]
        assert Event.objects.count() == 2

    def test_a_charset_may_be_named(self, post: Post) -> None:
        assert post(event('{"a":"é"}'), 'application/json; charset="UTF-8"').status == 202

    def test_white_space_around_is_fine(self, post: Post) -> None:
        assert post(b"\r\n " + event() + b"\n").status == 202


class TestBatch:
    def bodies(self, *events: bytes) -> list[tuple[bytes, str]]:
        return [(b"[" + b",".join(events) + b"]", JSON), (b"\n".join(events) + b"\n", LINES)]

    @pytest.mark.parametrize("form", [0, 1], ids=["array", "lines"])
    def test_all_enqueued_or_duplicate_is_202(self, post: Post, form: int) -> None:
        ids = [str(uuid4()) for _ in range(3)]
        events = [event(event_id=event_id) for event_id in (*ids, ids[0])]
        reply = post(*self.bodies(*events)[form])
        statuses = ["enqueued", "enqueued", "enqueued", "duplicate"]
        assert reply.status == 202
        assert reply.content == {
            "enqueued": 3,
            "duplicates": 1,
            "rejected": 0,
            "results": [
                {"index": n, "status": status, "event_id": event_id, "error": None}
                for n, (status, event_id) in enumerate(zip(statuses, (*ids, ids[0]), strict=True))
            ],
        }

    @pytest.mark.parametrize("form", [0, 1], ids=["array", "lines"])
    def test_some_rejected_is_207(self, post: Post, form: int) -> None:
        taken, new = str(uuid4()), str(uuid4())
        post(event('{"a":1}', event_id=taken))
        events = [event(did="x"), event('{"a":2}', event_id=taken), event(event_id=new), event(event_type="no.such")]
        reply = post(*self.bodies(*events, b'{"event_type":')[form] if form else self.bodies(*events, b"7")[form])
        assert reply.status == 207
        assert (reply.content["enqueued"], reply.content["duplicates"], reply.content["rejected"]) == (1, 0, 4)
        results = reply.content["results"]
        assert [result["index"] for result in results] == [0, 1, 2, 3, 4]
        assert [result["status"] for result in results] == ["rejected", "rejected", "enqueued", "rejected", "rejected"]
        assert [result["event_id"] for result in results][1:3] == [taken, new]
        errors = [(result["error"]["status"], result["error"]["field"]) for result in results if result["error"]]
        assert errors == [(400, "did"), (409, "event_id"), (400, "event_type"), (400, "body")]

    def test_strange_payloads_cost_their_neighbours_nothing(self, post: Post) -> None:
        events = [event(payload) for payload in STRANGE.values()]
        reply = post(b"[" + b",".join([event(), *events, event()]) + b"]")
        assert (reply.status, reply.content["enqueued"]) == (202, len(events) + 2)
        assert set(Event.objects.with_state().values_list("state", flat=True)) == {Event.State.PENDING}

    def test_nothing_is_enqueued(self, post: Post) -> None:
        for body, media_type in ((b"[]", JSON), (b"", LINES)):
            reply = post(body, media_type)
            assert (reply.status, reply.content["enqueued"], reply.content["results"]) == (202, 0, [])

    def test_more_than_5000_is_413(self, post: Post) -> None:
        assert_problem(post(b"[" + b",".join([b"{}"] * 5_001) + b"]"), 413, "body")
        assert_problem(post(b"{}\n" * 5_001, LINES), 413, "body")

    def test_an_array_that_stops_in_the_middle_is_400(self, post: Post) -> None:
        assert_problem(post(b"[" + event() + b"," + event()[:-5]), 400, "body")
        assert not Event.objects.exists()


class TestRefusals:
    @pytest.mark.parametrize("name", NOT_EVENTS)
    def test_what_is_no_event_is_400(self, post: Post, name: str) -> None:
        body, field = NOT_EVENTS[name]
        if body.startswith(b"["):
            field = "body"
        assert_problem(post(body), 400, field)
        assert not Event.objects.exists()

    def test_an_unknown_event_type_is_400_and_says_which_are_known(self, post: Post) -> None:
        content = assert_problem(post(event(event_type="relationship.invented")), 400, "event_type")
        assert "relationship.created" in content["allowed"]

    def test_a_payload_over_64_kilobytes_is_413(self, post: Post) -> None:
        assert_problem(post(event('{"a":"' + "x" * 65_536 + '"}')), 413, "payload")

    def test_a_body_over_its_limit_is_413_before_it_is_parsed(self, post: Post, settings: Settings) -> None:
        settings.INTERNAL_BODY_LIMIT = 100_000
        assert_problem(post(b"x" * 100_001), 413, "body")
        assert post(event() + b" " * (100_000 - len(event()))).status == 202

    @pytest.mark.parametrize(
        "media_type",
        [
            "text/plain",
            "",
            ";",
            "\x00",
            "application/xml",
            "application/jsonx",
            "application/x-www-form-urlencoded",
            "application/json; charset=utf-16",
            "multipart/form-data; boundary=x",
        ],
    )
    def test_another_media_type_is_415(self, post: Post, media_type: str) -> None:
        content = assert_problem(post(event(), media_type), 415, "Content-Type")
        assert "application/json" in content["allowed"]

    def test_a_compressed_body_is_415(self, post: Post) -> None:
        assert_problem(post(event(), Content_Encoding="gzip"), 415, "Content-Encoding")

    def test_no_key_is_401(self, post: Post) -> None:
        reply = post(event(), X_Internal_Key="")
        assert_problem(reply, 401)
        assert "www-authenticate" in reply.headers

    @pytest.mark.parametrize("key", ["x", "é", "\x00", "a" * 10_000])
    def test_a_wrong_key_is_403(self, post: Post, key: str) -> None:
        assert_problem(post(event(), X_Internal_Key=key), 403)
        assert not Event.objects.exists()

    def test_a_fallback_key_is_accepted(self, post: Post, settings: Settings) -> None:
        settings.INTERNAL_API_KEY_FALLBACKS = ["the-key-of-yesterday", "the-key-of-the-day-before"]
        for key in settings.INTERNAL_API_KEY_FALLBACKS:
            assert post(event(), X_Internal_Key=key).status == 202

    @pytest.mark.parametrize("accept", ["text/html", "application/problem+json", "image/png", "nonsense"])
    def test_whatever_is_accepted_json_is_the_answer(self, post: Post, accept: str) -> None:
        assert post(event(), Accept=accept).status == 202
        assert_problem(post(b"", Accept=accept), 400)


class TestPayloads:
    """A payload comes from a stranger's repository: it must not block the one who brings it."""

    @pytest.mark.parametrize("name", STRANGE)
    def test_any_json_object_is_accepted_and_pending(self, post: Post, name: str) -> None:
        reply = post(event(STRANGE[name]))
        assert reply.status == 202
        stored = Event.objects.with_state().annotate(text=Cast("payload", TextField())).get()
        assert (str(stored.event_id), stored.state) == (reply.content["event_id"], Event.State.PENDING)
        assert stored.text == (UNDECODABLE[name] if name in UNDECODABLE else UNUSUAL[name][1])

    @pytest.mark.parametrize("name", STRANGE)
    def test_the_same_again_is_a_duplicate(self, post: Post, name: str) -> None:
        body = event(STRANGE[name], event_id=str(uuid4()))
        assert [post(body).status for _ in range(2)] == [202, 200]

    def test_one_that_does_not_fit_its_type_is_accepted(self, post: Post) -> None:
        assert post(event('{"strength":"very"}')).status == 202


class TestCapacity:
    @pytest.fixture(autouse=True)
    def _small(self, settings: Settings) -> None:
        settings.EVENT_QUEUE_CAPACITY = 10

    def test_80_percent_is_for_all_and_the_rest_for_critical(self, post: Post) -> None:
        assert [post(event()).status for _ in range(9)] == [202] * 8 + [503]
        assert [post(event(priority=3)).status for _ in range(3)] == [202, 202, 503]

    def test_a_refusal_says_when_to_come_back(self, post: Post) -> None:
        for _ in range(8):
            post(event())
        reply = post(event())
        content = assert_problem(reply, 503)
        assert 1 <= int(reply.headers["retry-after"]) == content["retry_after"] <= 60

    def test_a_batch_that_fits_in_part_is_207(self, post: Post) -> None:
        events = [event(f'{{"n":{n}}}', event_id=str(UUID(int=n))) for n in range(10)]
        reply = post(b"[" + b",".join(events) + b"]")
        assert (reply.status, reply.content["enqueued"], reply.content["rejected"]) == (207, 8, 2)
        assert [result["status"] for result in reply.content["results"]] == ["enqueued"] * 8 + ["rejected"] * 2
        assert reply.content["results"][9]["error"]["status"] == 503
        assert reply.content["results"][9]["event_id"] == str(UUID(int=9))
        assert "retry-after" in reply.headers

    def test_a_batch_of_which_nothing_fits_is_503(self, post: Post) -> None:
        for _ in range(8):
            post(event())
        assert_problem(post(b"[" + event() + b"," + event(did="x") + b"]"), 503)

    def test_duplicates_take_no_room(self, post: Post) -> None:
        body = event(event_id=str(uuid4()))
        assert [post(body).status for _ in range(20)] == [202] + [200] * 19

    def test_payloads_that_python_cannot_decode_take_room(self, post: Post) -> None:
        assert [post(event('{"a":1e400}')).status for _ in range(9)] == [202] * 8 + [503]


def test_the_view_is_never_inside_a_requests_transaction() -> None:
    """With ATOMIC_REQUESTS the answer would go out before COMMIT."""
    assert resolve(PATH).func._non_atomic_requests == {"default"}  # type: ignore[attr-defined]


class TestDatabaseAway:
    @pytest.mark.parametrize("error", [OperationalError, InterfaceError, DatabaseError])
    def test_is_503_when_it_fails_in_the_append(
        self, post: Post, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
    ) -> None:
        def fail(events: object, **options: object) -> None:
            raise error("the server closed the connection unexpectedly")

        async def fail_on_loop(log: object, events: object) -> None:
            fail(events)

        with monkeypatch.context() as patched:
            patched.setattr(core, "append_new", fail)
            for log in (append_async.PostgresLog, append_async.ThreadLog):
                patched.setattr(log, "append", fail_on_loop)
            reply = post(event())
        assert_problem(reply, 503)
        assert int(reply.headers["retry-after"]) > 0
        assert "server closed" not in reply.body.decode()
        assert core.admission.pending == 0
        assert post(event()).status == 202

    def test_is_503_when_the_first_sample_fails(self, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(limit: int) -> int:
            raise OperationalError("connection refused")

        monkeypatch.setattr(core, "admission", Admission(pending_count=fail, background=False))
        assert_problem(post(event()), 503)


@pytest.mark.parametrize("configured", [1, 1_000])
def test_a_process_set_up_for_another_number_of_lanes_accepts_events(
    post: Post, settings: Settings, configured: int
) -> None:
    settings.EVENT_LANES = configured
    events = [event(did=f"did:plc:{n}") for n in range(50)]
    assert post(b"[" + b",".join(events) + b"]").status == 202
    assert not Pending.objects.exclude(lane__in=Lane.objects.values("pk")).exists()
    assert Pending.objects.values("lane").distinct().count() > 10
