"""A decision about very many dead letters, carried out by real workers that are killed in the middle."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from events.models import BulkAction, DeadLetter, Pending
from tests.events.filled import fill
from tests.events.letters import DECIDE
from tests.integration.conftest import WorkerProcess, eventually
from tests.recorder.models import Seen

SOON = 0.3  # seconds within which the admin answers while workers are busy


def requeue_with_a_kill_in_the_middle(start: Callable[..., WorkerProcess], client: Client, letters: int) -> list[float]:
    """Requeue so many letters from the admin, killing the worker that does it; seconds of each look at the progress."""
    fill(letters, [f"did:plc:{n}" for n in range(5_000)], dead_every=1)
    workers = [start()]
    response = client.post(DECIDE, {"verb": "requeue", "scope": "filter", "confirmed": 1})
    action = BulkAction.objects.get()
    assert response["Location"] == f"/admin/events/bulkaction/{action.pk}/change/"
    looks: list[float] = []
    told: list[int] = []

    def look() -> int:
        began = time.perf_counter()
        figures = client.get(f"/admin/events/bulkaction/{action.pk}/figures/").json()
        looks.append(time.perf_counter() - began)
        told.append(figures["changed"])
        return -1 if not figures["running"] else figures["changed"]

    eventually(lambda: look() > letters // 5, within=120)
    workers[0].kill()
    seen = look()
    assert 0 < seen < letters
    workers.append(start())
    eventually(lambda: look() == -1, within=300, what="the action ends")
    eventually(lambda: Seen.objects.count() >= letters, within=300, what="all are applied")
    eventually(lambda: not Pending.objects.exists() and not DeadLetter.objects.exists(), within=60)
    action.refresh_from_db()
    assert (action.state, action.changed, action.expected) == (BulkAction.State.FINISHED, letters, letters)
    assert Seen.objects.count() == Seen.objects.values("event_id").distinct().count() == letters
    assert told == sorted(told) and len(set(told)) > 2
    assert LogEntry.objects.get().change_message.startswith(f"requeued {letters:,} dead letters")
    return looks


@pytest.fixture
def operator(client: Client, transactional_db: None) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def test_it_goes_on_where_a_killed_worker_left_it(start: Callable[..., WorkerProcess], operator: Client) -> None:
    requeue_with_a_kill_in_the_middle(start, operator, 6_000)


@pytest.mark.proof
@pytest.mark.postgresql
@pytest.mark.timeout(900)
def test_100_000_are_requeued_exactly_once_and_the_admin_answers_meanwhile(
    start: Callable[..., WorkerProcess], operator: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    looks = sorted(requeue_with_a_kill_in_the_middle(start, operator, 100_000))
    half, most = looks[len(looks) // 2], looks[int(0.95 * len(looks))]
    with capsys.disabled():
        took = time.monotonic() - began
        print(f"\n  in {took:.0f} s; a look: p50 {1000 * half:.0f} ms, p95 {1000 * most:.0f} ms", end="")
    assert most < SOON, most
