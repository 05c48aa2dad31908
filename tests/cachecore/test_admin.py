"""What the admin and the command line tell of the cache, and what they let one do."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from cachecore import cache, status
from cachecore.models import Invalidation
from cachecore.statistics import HITS, NAMESPACES, OTHER, Counts, told

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/admin/cachecore/invalidation/"


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("cache", *arguments, stdout=out)
    return out.getvalue()


def test_the_page_tells_mode_hit_rate_and_journal(admin_client: Client) -> None:
    cache.set("shown:a", 1)
    cache.get("shown:a")
    cache.invalidate(["t", "u"])
    page = admin_client.get(PAGE).content.decode()

    assert f"<td>{cache.backend.mode}" in page
    assert '<th scope="row">shown</th><td>1.0</td><td>1</td>' in page
    assert "Invalidations not yet performed" in page
    assert '<td class="field-tags">2</td>' in page


def test_nobody_removes_or_changes_a_row(admin_client: Client) -> None:
    cache.invalidate(["t"])
    row = Invalidation.objects.get()

    assert admin_client.get(f"{PAGE}{row.pk}/delete/").status_code == 403
    assert admin_client.get(f"{PAGE}add/").status_code == 403
    assert "action-select" not in admin_client.get(PAGE).content.decode()


def test_figures_are_printed_as_json() -> None:
    told = json.loads(run("stats"))

    assert told["mode"] == cache.backend.mode
    assert {"hit_rate", "total_keys", "hits", "misses", "memory_mb", "namespaces", "journal_length"} <= told.keys()


def test_keys_are_cleared_by_pattern() -> None:
    cache.set("ns:a", 1)
    cache.set("ns:b", 1)
    cache.set("other:a", 1)

    assert run("clear", "ns:*") == "2 keys forgotten\n"
    assert (cache.get("ns:a"), cache.get("other:a")) == (None, 1)


def test_tags_are_invalidated() -> None:
    cache.get_or_set("ns:a", lambda: 1, tags=["t"])

    assert run("invalidate", "t", "u") == "2 tags invalidated\n"
    assert cache.get("ns:a") is None


def test_an_unknown_alias_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(CommandError, match="one of default, not 'nowhere'"):
        run("--alias", "nowhere", "stats")


def test_reading_figures_asks_neither_redis_nor_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("asked")

    cache.get("anything")
    monkeypatch.setattr("redis.connection.Connection.send_packed_command", refuse)
    monkeypatch.setattr("django.db.backends.utils.CursorWrapper.execute", refuse)
    before = status.read()["misses"]

    assert before >= 1


def test_asking_whether_a_key_exists_changes_no_figure() -> None:
    cache.set("ns:a", 1)
    before = {kind: status.read()[kind] for kind in ("hits", "misses")}
    assert cache.exists("ns:a")
    assert not cache.exists("ns:b")

    assert {kind: status.read()[kind] for kind in ("hits", "misses")} == before


def test_namespaces_without_end_share_one_counter() -> None:
    counts = Counts()
    for number in range(200):
        counts.add(f"made-up-{number}:x", HITS)

    namespaces = told(counts.totals())["namespaces"]
    assert len(namespaces) == NAMESPACES + 1
    assert namespaces[OTHER]["hits"] == 200 - NAMESPACES
