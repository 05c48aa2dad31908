"""Migrations: from an empty database to a log that accepts events, and what models can't express."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from events.models import Event, EventState, Lane, Pending
from events.wakeup import bare_connection
from tests.integration.conftest import ROOT, database_url

EMPTY = f"test_rhiz_empty_{os.getpid()}"


@pytest.mark.django_db
@pytest.mark.parametrize("app", ["events", "graph", "cachecore"])
def test_the_migrations_make_what_the_models_say(app: str) -> None:
    call_command("makemigrations", app, check=True, dry_run=True, verbosity=0)


@pytest.fixture
def empty(tmp_path: Path, django_db_setup: None) -> Iterator[str]:
    """The URL of a database without tables."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite3'}"
        return
    with bare_connection(dbname="postgres") as server:
        server.execute(f'create database "{EMPTY}"')
        yield urlsplit(database_url())._replace(path=f"/{EMPTY}").geturl()
        server.execute(f'drop database "{EMPTY}" with (force)')


def migrate(url: str, **environment: str) -> None:
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    given = {"DJANGO_SETTINGS_MODULE": "rhiz.settings", "DATABASE_URL": url, "REDIS_URL": "", "CACHE_BACKEND": ""}
    subprocess.run(command, cwd=ROOT, env={**os.environ, **given, **environment}, check=True)


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    if url.startswith("sqlite"):
        database = sqlite3.connect(url.removeprefix("sqlite:///"))
        try:
            return database.execute(statement).fetchall()
        finally:
            database.close()
    with psycopg.connect(url) as server:
        return server.execute(statement).fetchall()


def test_an_empty_database_becomes_a_log_whose_lanes_are_made_once(empty: str) -> None:
    migrate(empty, EVENT_LANES="8")
    assert rows(empty, "select id from events_lane order by id") == [(n,) for n in range(8)]
    assert rows(empty, "select count(*) from events_state") == [(0,)]
    migrate(empty, EVENT_LANES="16")
    assert rows(empty, "select count(*) from events_lane") == [(8,)]


@pytest.mark.django_db(transaction=True)
def test_a_flushed_log_has_its_lanes_again() -> None:
    lanes = Lane.count()
    Event.objects.create(event_type="test.record", did="did:plc:a")
    call_command("flush", interactive=False, verbosity=0)
    assert (Lane.count(), Event.objects.count(), Pending.objects.count()) == (lanes, 0, 0)


@pytest.mark.django_db
def test_the_view_of_states_has_a_row_for_each_event_and_the_models_columns() -> None:
    event = Event.objects.create(event_type="test.record", did="did:plc:a")
    with connection.cursor() as cursor:
        cursor.execute("select * from events_state")
        assert [column[0] for column in cursor.description] == [field.column for field in EventState._meta.fields]
    assert EventState.objects.get().pk == event.pk


@pytest.mark.postgresql
@pytest.mark.django_db
class TestPostgreSQL:
    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def test_an_id_is_drawn_after_its_transaction_has_an_xid(self) -> None:
        """The workers' low watermarks rely on it."""
        [(default,)] = self.ask(
            "select column_default from information_schema.columns"
            " where table_name = 'events_event' and column_name = 'id'"
        )
        assert default.index("pg_current_xact_id()") < default.index("nextval")
        assert self.ask("select pg_get_serial_sequence('events_event', 'id')") == [("public.events_event_id_seq",)]

    def test_pending_rows_are_vacuumed_often_and_without_pauses(self) -> None:
        [(options,)] = self.ask("select reloptions from pg_class where relname = 'events_pending'")
        assert {"autovacuum_vacuum_cost_delay=0", "vacuum_truncate=off"} <= set(options)

    def test_dids_of_dead_letters_are_compared_by_bytes(self) -> None:
        [(collation,)] = self.ask(
            "select collation_name from information_schema.columns"
            " where table_name = 'events_dead_letter' and column_name = 'did'"
        )
        assert collation == "C"
