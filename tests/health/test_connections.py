"""A sampler's own connection, and what the server says of all of them."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from health.connections import figures, own
from tests.integration.conftest import database_url

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def test_a_watchs_connection_is_outside_the_pool_and_gives_up_a_vanished_host() -> None:
    seen: dict[str, Any] = {}

    def look() -> None:
        own()
        seen.update(connections["default"].settings_dict["OPTIONS"])

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert "pool" not in seen
    assert (seen["connect_timeout"], seen["tcp_user_timeout"]) == (2, 2_000)
    assert connection.settings_dict["OPTIONS"].get("tcp_user_timeout") != 2_000


def test_the_oldest_transaction_is_somebody_elses() -> None:
    alone = figures(connection)
    with psycopg.connect(database_url()) as elsewhere:
        elsewhere.execute("select 1")
        elsewhere.execute("select pg_sleep(0.1)")
        together = figures(connection)

    assert together["open_connections"] > 1
    assert together["oldest_transaction_seconds"] >= 0.1
    assert alone["vendor"] == "postgresql"
