"""The journal is read whole: rows that commit late, rows that nobody performed, rows that were pruned."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone
from model_bakery import baker

from cachecore import journal
from cachecore.models import Invalidation, Rotation
from cachecore.own_connection import own_connection
from cachecore.tags import digests, packed

pytestmark = pytest.mark.django_db(transaction=True)
SPACE = "test-journal"
A, B, C = ((each,) for each in digests("abc"))


@pytest.fixture
def reader() -> Iterator[Any]:
    made = own_connection("default")
    yield made
    made.close()


def row(*, created: float = 0.0, performed: float | None = None, tags: tuple[bytes, ...] = A) -> Invalidation:
    """A committed row, its times so many seconds ago."""
    now = timezone.now()
    return baker.make(
        Invalidation,
        space=SPACE,
        digests=packed(tags),
        created_at=now - timedelta(seconds=created),
        performed_at=None if performed is None else now - timedelta(seconds=performed),
    )


def test_a_follower_reads_each_row_once(reader: Any) -> None:
    journal.write(connection, SPACE, A)
    since, first = journal.follow(reader, [SPACE], None)
    journal.write(connection, SPACE, B)
    since, second = journal.follow(reader, [SPACE], since)
    since, third = journal.follow(reader, [SPACE], since)

    assert [first, [each.digests for each in second], third] == [[], [list(B)], []]


def test_a_follower_reads_no_other_space(reader: Any) -> None:
    since, _ = journal.follow(reader, [SPACE], None)
    journal.write(connection, "another", A)

    assert journal.follow(reader, [SPACE], since)[1] == []


@pytest.mark.postgresql
def test_a_row_that_commits_after_a_later_one_is_not_skipped(reader: Any) -> None:
    since, _ = journal.follow(reader, [SPACE], None)
    written, commit = threading.Event(), threading.Event()

    def late() -> None:
        with transaction.atomic():
            journal.write(connections["default"], SPACE, A)
            written.set()
            assert commit.wait(10)
        connections["default"].close()

    thread = threading.Thread(target=late)
    thread.start()
    assert written.wait(10)
    journal.write(connection, SPACE, B)
    since, early = journal.follow(reader, [SPACE], since)
    commit.set()
    thread.join()
    since, rest = journal.follow(reader, [SPACE], since)

    assert [each.digests for each in early] == [list(B)]
    assert [each.digests for each in rest] == [list(A)]
    assert rest[0].id < early[0].id


def test_a_database_that_went_back_in_time_is_noticed(reader: Any) -> None:
    since, _ = journal.follow(reader, [SPACE], None)
    assert since is not None

    assert journal.follow(reader, [SPACE], since._replace(cursor=since.cursor + 1_000_000)) == (None, [])


def test_only_rows_old_enough_and_not_performed_are_others_to_perform() -> None:
    old, young, done = row(created=10), row(), row(created=10, performed=1)

    assert [each.id for each in journal.unperformed(connection, [SPACE])] == [old.pk, young.pk]
    assert [each.id for each in journal.unperformed(connection, [SPACE], older_than=5)] == [old.pk]
    journal.mark(connection, [old.pk, young.pk, done.pk])
    assert journal.unperformed(connection, [SPACE]) == []
    assert journal.length(connection, [SPACE]) == 0


def test_pruning_takes_what_was_performed_long_ago_and_nothing_else() -> None:
    kept = [row(created=1_000, performed=10), row(created=10)]
    row(created=1_000, performed=journal.KEEP + 10)
    journal.prune(connection, SPACE)

    assert list(Invalidation.objects.order_by("id")) == kept
    assert journal.rotation(connection, [SPACE]) == ""


def test_a_space_with_rows_that_nobody_could_perform_is_given_up() -> None:
    abandoned = row(created=journal.KEEP + 10)
    journal.prune(connection, SPACE)

    abandoned.refresh_from_db()
    assert abandoned.performed_at is not None
    assert journal.rotation(connection, [SPACE]) == f"{SPACE}=1"
    assert journal.rotation(connection, ["another"]) == ""


def test_each_rotation_is_another() -> None:
    journal.rotate(connection, SPACE)
    journal.rotate(connection, SPACE)

    assert Rotation.objects.get(space=SPACE).number == 2


@pytest.mark.postgresql
def test_rows_are_read_by_an_index_however_many_there_are() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO cachecore_invalidation (space, digests, created_at, performed_at, transaction) "
            "SELECT %s, '', now(), now(), i FROM generate_series(1, 20000) AS i",
            [SPACE],
        )
        cursor.execute("ANALYZE cachecore_invalidation")
        plans = []
        for statement in (
            "SELECT id FROM cachecore_invalidation WHERE transaction >= 19990 AND space = ANY('{x}')",
            "SELECT id FROM cachecore_invalidation WHERE performed_at IS NULL AND space IN ('x')",
            "SELECT id FROM cachecore_invalidation WHERE performed_at < now() - interval '1 hour' LIMIT 5000",
        ):
            cursor.execute(f"EXPLAIN {statement}")
            plans.append("\n".join(line for (line,) in cursor.fetchall()))

    assert [plan for plan in plans if "Seq Scan" in plan] == []
