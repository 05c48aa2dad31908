"""The pipeline page: what it tells of a log, to whom, at what cost, and under what policy."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from model_bakery import baker

from events import stats
from events.admin.pipeline import tables
from events.history.keeping import COARSE, FINE
from events.history.series import WINDOWS
from events.lanes import did_key, lane_of
from events.log.depth import BEHIND, blockers, deepest
from events.log.durability import not_durable
from events.models import Attempt, Batch, Event, Lane, Pending, Worker
from tests.events import states
from tests.events.test_history import START, at

pytestmark = pytest.mark.django_db

PAGE = "/admin/events/pipeline/"
LONG = ("event", "pending", "dead_letter", "batch")  # tables that may be


def worker(**fields: Any) -> Worker:
    now = timezone.now()
    return baker.make(Worker, **{"started_at": now, "heartbeat_at": now, "process_started": 0, **fields})


def text(client: Client, **asked: str) -> str:
    return client.get(PAGE, asked).content.decode()


class Strict(HTMLParser):
    """Collects what `default-src 'self'` without unsafe-inline would refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "style" or (tag == "script" and "src" not in given and given.get("type") != "application/json"):
            self.refused.append(f"<{tag}> inline")
        self.refused += [f"<{tag} {name}>" for name in given if name == "style" or name.startswith("on")]
        for name in ("src", "href"):
            if (given.get(name) or "").startswith(("http:", "https:", "//", "javascript:")):
                self.refused.append(f"<{tag} {name}={given[name]}>")


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}?fragment", "/admin/", "/admin/events/event/", "life"])
def test_nothing_on_a_page_is_refused_by_a_strict_policy(admin_client: Client, path: str) -> None:
    event = baker.make(Event, did="did:plc:alice")
    at(0).save()
    page = f"/admin/events/event/life/?did={event.did}" if path == "life" else path
    answer = admin_client.get(page)
    assert answer.status_code == 200
    parser = Strict()
    parser.feed(answer.content.decode())
    assert parser.refused == []


def test_the_home_of_the_app_leads_there_and_so_does_the_home_of_the_admin(admin_client: Client) -> None:
    assert admin_client.get("/admin/events/")["Location"] == PAGE
    assert f'class="button" href="{PAGE}"' in admin_client.get("/admin/").content.decode()


def test_an_idle_log_with_a_worker_is_healthy(admin_client: Client) -> None:
    worker()
    page = text(admin_client)
    assert "Healthy" in page and "No event is being lost." in page


def test_without_a_worker_it_says_so_and_how_much_waits(admin_client: Client) -> None:
    baker.make(Event, _quantity=3)
    page = text(admin_client)
    assert "No worker" in page and "3 are pending" in page


def test_a_database_that_does_not_answer_in_time_is_said_and_the_page_still_comes(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow() -> None:
        raise OperationalError("still open")

    monkeypatch.setattr(stats.recent, "read", slow)
    assert "Database slow" in text(admin_client)


def test_the_fragment_is_the_part_that_changes_and_nothing_around_it(admin_client: Client) -> None:
    fragment = admin_client.get(PAGE, {"fragment": "1"})
    assert "<html" not in fragment.content.decode()
    assert fragment.content.decode().strip().startswith("<section")
    assert "no-store" in fragment["Cache-Control"]
    assert 'id="fragment" data-refresh-seconds="10"' in text(admin_client)


@pytest.mark.parametrize("window", [*WINDOWS, "", "nonsense"])
def test_every_window_has_four_charts_with_a_text_of_their_own(admin_client: Client, window: str) -> None:
    now = timezone.now()
    for step in (FINE, COARSE):
        for n in range(20):
            seconds = (now - START).total_seconds() - n * step
            at(seconds, step, processed=1_000 - n, received=1_000 - n, dead=n).save()
    page = text(admin_client, window=window)
    assert page.count('role="img"') == page.count("<desc") == 4
    assert "nothing known of this time" not in page.replace("From receipt to done", "") or "p99 now -" in page


def test_only_who_may_view_the_pipeline_sees_it(client: Client) -> None:
    user = baker.make(User, is_staff=True, is_active=True)
    client.force_login(user)
    assert client.get(PAGE).status_code == client.get(PAGE, {"fragment": ""}).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_pipeline"))
    assert client.get(PAGE).status_code == 200
    client.logout()
    assert client.get(PAGE).status_code == 302


def test_workers_are_told_with_what_they_do_the_worst_first(admin_client: Client) -> None:
    now = timezone.now()
    worker(host="busy", batches=[{"events": 12, "lanes": [3, 4], "seconds": 0.25}])
    worker(host="idle")
    worker(host="dead", died_at=now - timedelta(minutes=2), heartbeat_at=now - timedelta(minutes=3))
    worker(host="silent", heartbeat_at=now - timedelta(minutes=1))
    worker(host="long-gone", stopped_at=now - timedelta(hours=2))
    rows = tables.workers(stats.figures(), now)
    assert [(row.worker.host, row.state) for row in rows] == [
        ("silent", "silent"),
        ("dead", "died"),
        ("busy", "working"),
        ("idle", "idle"),
    ]
    assert "12 events of lanes 3, 4 for 250 ms" in text(admin_client)


def test_a_stalled_worker_is_named_with_how_long_it_has_made_no_progress(admin_client: Client) -> None:
    baker.make(Event, received_at=timezone.now() - timedelta(seconds=70))
    worker(host="hung", idle_seconds=65)
    page = text(admin_client)
    assert "Stalled" in page and "no progress for 65 s" in page


def failed(did: str, message: str = "'x'") -> Event:
    event = behind(did, attempts=2)
    Attempt.objects.create(event=event, number=2, kind="KeyError", message=message)
    return event


def behind(did: str, **fields: Any) -> Event:
    return states.pending(did=did, available_at=timezone.now() + timedelta(seconds=30), **fields)


def test_lanes_that_keep_failing_are_told_beside_their_worker_and_at_the_top(admin_client: Client) -> None:
    error = "OperationalError: canceling statement due to lock timeout <b>"
    worker(host="struggling", failing_lanes=[{"lane": 7, "times": 12, "seconds": 41.5, "error": error}])
    [row] = tables.workers(stats.figures(), timezone.now())
    assert (row.state, row.doing) == ("idle", f"nothing to do; lane 7 failed 12 times in 42 s: {error}")
    page = text(admin_client)
    assert "Lanes failing" in page and "lock timeout &lt;b&gt;" in page and "<b>" not in page


def test_who_holds_up_a_did_is_told_with_the_reason_and_how_much_is_behind(admin_client: Client) -> None:
    worker()
    guilty = failed("did:plc:alice")
    for _ in range(4):
        behind("did:plc:alice")
    baker.make(Event, did="did:plc:bob", _quantity=2)
    rows = tables.blockers(timezone.now())
    assert [(row.event, row.event.attempts, row.reason, row.behind) for row in rows] == [
        (guilty, 2, "KeyError: 'x'", "4")
    ]
    page = text(admin_client)
    assert "KeyError: &#x27;x&#x27;" in page
    assert "/admin/events/event/life/?did=did%3Aplc%3Aalice" in page


def test_what_is_behind_is_counted_no_further_than_a_limit() -> None:
    failed("did:plc:alice")
    Event.objects.bulk_create(baker.prepare(Event, did="did:plc:alice") for _ in range(BEHIND + 5))
    assert tables.blockers(timezone.now())[0].behind == f"{BEHIND - 2:,}+"


def test_the_deepest_lanes_come_first_with_their_oldest_event() -> None:
    dids = {1: "did:plc:a", 5: "did:plc:bb", 3: "did:plc:cccc"}
    assert len({lane_of(did_key(did), Lane.count()) for did in dids.values()}) == 3
    for size, did in dids.items():
        baker.make(Event, did=did, _quantity=size)
    found = deepest(2, 100)
    assert [each.ready for each in found] == [5, 3]
    oldest = Event.objects.filter(did=dids[5]).earliest("id")
    assert found[0].oldest == oldest.pk
    worker(host="holder", batches=[{"events": 1, "lanes": [found[0].lane], "seconds": 0.1}])
    row = tables.lanes(stats.figures(), timezone.now())[0]
    assert (row.oldest, row.held_by) == (oldest, str(Worker.objects.get()))


def test_an_empty_log_has_no_deep_lane_and_nobody_is_held_up() -> None:
    assert deepest(5, 100) == [] == blockers(5)


def test_the_page_counts_no_log_and_asks_as_much_of_a_deep_log_as_of_a_shallow_one(admin_client: Client) -> None:
    worker()
    failed("did:plc:alice")

    def asked() -> list[str]:
        stats.recent.forget()
        with CaptureQueriesContext(connection) as queries:
            text(admin_client)
        return [query["sql"] for query in queries.captured_queries]

    few = len(asked())
    Event.objects.bulk_create(baker.prepare(Event, did="did:plc:alice") for _ in range(400))
    done = list(Event.objects.order_by("id").values_list("id", flat=True)[5:205])
    Pending.objects.filter(id__in=done).delete()
    Batch.objects.create(last_id=done[-1], first_id=done[0], ids=done)
    statements = asked()
    assert len(statements) <= few + 8 < 60
    for sql in statements:
        if any(f"events_{table}" in sql for table in LONG) and "count(" in sql.lower():
            assert "limit" in sql.lower(), sql


def test_what_an_error_or_a_did_says_is_escaped(admin_client: Client) -> None:
    worker()
    failed("did:plc:alice", "<script>alert(1)</script>")
    page = text(admin_client)
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page


def test_these_databases_lose_nothing_that_they_confirmed(settings: Any) -> None:
    told = not_durable(connection)
    assert set(told) <= {"fsync", "synchronous_commit", "full_page_writes"}
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("set local synchronous_commit = off")
            assert "synchronous_commit" in not_durable(connection)
            cursor.execute("set local synchronous_commit = on")
    assert "synchronous_commit" not in not_durable(connection)
