"""A value is loaded once, told while its stamps match, and never after an invalidation of one of its tags."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.test import override_settings

from cachecore import cache, gathering, journal
from cachecore.backend import CacheBackend
from cachecore.loading import Reading
from cachecore.models import Invalidation
from cachecore.tags import digests

pytestmark = pytest.mark.django_db(transaction=True)


class Source:
    """Truth, and how often it was asked for."""

    def __init__(self, value: Any = 0) -> None:
        self.value = value
        self.asked = 0

    def __call__(self) -> Any:
        self.asked += 1
        return self.value


def test_a_value_is_loaded_once_and_then_told() -> None:
    source = Source("first")

    assert cache.get_or_set("ns:a", source, tags=["t"]) == "first"
    assert cache.get_or_set("ns:a", source, tags=["t"]) == "first"
    assert source.asked == 1


def test_none_is_a_value_worth_keeping() -> None:
    source = Source(None)

    assert cache.get_or_set("ns:a", source, tags=["t"]) is None
    assert cache.get_or_set("ns:a", source, tags=["t"]) is None
    assert source.asked == 1


@pytest.mark.parametrize("read", [lambda s: cache.get_or_set("ns:a", s, tags=["t", "u"]), lambda _: cache.get("ns:a")])
def test_an_invalidated_value_is_not_told_however_it_is_read(read: Callable[[Source], Any]) -> None:
    source = Source(1)
    cache.get_or_set("ns:a", source, tags=["t", "u"])
    source.value = 2
    cache.invalidate(["u"])

    assert read(source) in (2, None)
    assert cache.backend.get_many(["ns:a"]) in ({}, {"ns:a": 2})


def test_other_tags_leave_a_value_alone() -> None:
    source = Source(1)
    cache.get_or_set("ns:a", source, tags=["t"])
    cache.invalidate(["other"])

    assert cache.get("ns:a") == 1


def test_a_load_that_raced_an_invalidation_is_not_kept() -> None:
    def load() -> str:
        cache.invalidate(["t"])
        return "from before"

    assert cache.get_or_set("ns:a", load, tags=["t"]) == "from before"
    assert cache.get_or_set("ns:a", Source("after"), tags=["t"]) == "after"


def test_whoever_comes_after_an_invalidation_does_not_join_a_load_from_before_it() -> None:
    loading, finish = threading.Event(), threading.Event()

    def old() -> str:
        loading.set()
        assert finish.wait(10)
        return "old"

    thread = threading.Thread(target=cache.get_or_set, args=("ns:a", old), kwargs={"tags": ["t"]})
    thread.start()
    assert loading.wait(10)
    cache.invalidate(["t"])

    assert cache.get_or_set("ns:a", Source("new"), tags=["t"]) == "new"
    finish.set()
    thread.join()
    assert cache.get_or_set("ns:a", Source("newer"), tags=["t"]) != "old"


def test_invalidation_waits_for_the_commit_and_ends_with_a_rollback() -> None:
    source = Source(1)
    cache.get_or_set("ns:a", source, tags=["t"])
    with transaction.atomic():
        cache.invalidate(["t"])
        transaction.set_rollback(True)
    assert cache.get("ns:a") == 1

    with transaction.atomic():
        cache.invalidate(["t"])
    assert cache.get("ns:a") is None


def test_a_transaction_reads_past_what_it_invalidated_itself() -> None:
    source = Source(1)
    cache.get_or_set("ns:a", source, tags=["t"])
    with transaction.atomic():
        cache.invalidate(["t"])
        source.value = 2
        assert cache.get_or_set("ns:a", source, tags=["t"]) == 2
        assert cache.get("ns:a") is None
        transaction.set_rollback(True)

    assert cache.get_or_set("ns:a", source, tags=["t"]) == 1


def test_what_a_transaction_loads_after_it_wrote_is_not_kept() -> None:
    with transaction.atomic():
        cache.invalidate(["something"])
        assert cache.get_or_set("ns:a", Source("not yet true"), tags=["t"]) == "not yet true"

    assert cache.get_or_set("ns:a", Source("true"), tags=["t"]) == "true"


def test_a_gathering_writes_one_row_for_all_of_its_invalidations() -> None:
    source = Source(1)
    cache.get_or_set("ns:a", source, tags=["t"])
    with transaction.atomic(), gathering():
        cache.invalidate(["t", "u"])
        cache.invalidate(["v", "t"])
        assert cache.get("ns:a") is None

    assert [row.tags for row in Invalidation.objects.all()] == [3]
    assert cache.get("ns:a") is None


def test_a_gathering_that_fails_writes_nothing() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic(), gathering():
        cache.invalidate(["t"])
        raise ZeroDivisionError

    assert not Invalidation.objects.exists()


def test_a_ttl_of_nothing_keeps_nothing() -> None:
    source = Source()
    cache.get_or_set("ns:a", source, 0, tags=["t"])
    cache.get_or_set("ns:a", source, 0, tags=["t"])

    assert source.asked == 2


def test_a_failing_loader_is_its_callers_error_and_leaves_nothing() -> None:
    def fail() -> None:
        raise ConnectionError("the loader's own")

    with pytest.raises(ConnectionError, match="own"):
        cache.get_or_set("ns:a", fail, tags=["t"])
    assert cache.get_or_set("ns:a", Source(1), tags=["t"]) == 1
    assert cache.health_check()


def test_a_value_past_its_time_bridges_a_loader_that_fails_but_not_an_invalidation() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    cache.get_or_set("ns:a", Source(1), 0.05, tags=["t"], stale_for=60)
    time.sleep(0.1)  # until its time is over
    assert cache.get("ns:a") is None
    assert cache.get_or_set("ns:a", fail, 0.05, tags=["t"], stale_for=60) == 1

    cache.invalidate(["t"])
    with pytest.raises(ZeroDivisionError):
        cache.get_or_set("ns:a", fail, 0.05, tags=["t"], stale_for=60)


def test_a_loader_may_ask_for_what_it_loads() -> None:
    def load() -> Any:
        return cache.get_or_set("ns:a", Source("inner"), tags=["t"])

    assert cache.get_or_set("ns:a", load, tags=["t"]) == "inner"


def test_many_keys_are_loaded_in_one_call_each_under_its_own_tags() -> None:
    calls: list[list[str]] = []

    def load(keys: list[str]) -> dict[str, str]:
        calls.append(keys)
        return {key: f"{key} {len(calls)}" for key in keys if key != "ns:none"}

    wanted = {"ns:a": ["a"], "ns:b": ["b"], "ns:none": ["n"]}
    assert cache.get_or_set_many(wanted, load) == {"ns:a": "ns:a 1", "ns:b": "ns:b 1"}
    cache.invalidate(["b"])
    assert cache.get_or_set_many(wanted, load) == {"ns:a": "ns:a 1", "ns:b": "ns:b 2"}
    assert calls == [["ns:a", "ns:b", "ns:none"], ["ns:b", "ns:none"]]


def test_tasks_have_the_same_with_loaders_of_their_own_kind() -> None:
    async def load() -> str:
        return "from a task"

    async def task() -> None:
        assert await cache.aget_or_set("ns:a", load, tags=["t"]) == "from a task"
        assert await cache.aget("ns:a") == "from a task"
        await cache.ainvalidate(["t"])
        assert await cache.aget("ns:a") is None

    async_to_sync(task)()


def test_one_string_is_no_list_of_tags() -> None:
    with pytest.raises(TypeError, match="iterable of strings"):
        cache.invalidate("did:plc:a")
    with pytest.raises(TypeError, match="iterable of strings"):
        cache.get_or_set("ns:a", Source(), tags="did:plc:a")


def test_a_value_past_its_time_is_no_bridge_for_who_does_not_want_one() -> None:
    cache.get_or_set("ns:a", Source(1), 0.05, tags=["t"], stale_for=60)
    time.sleep(0.1)  # until its time is over

    assert cache.get_or_set("ns:a", Source(2), tags=["t"]) == 2


def test_a_prefix_that_comes_later_has_its_invalidations_followed_too() -> None:
    first, second = (CacheBackend("", {"KEY_PREFIX": f"test-{name}", "TIMEOUT": 60}) for name in ("early", "late"))
    first.get("a")
    with override_settings(CACHE_FALLBACK_STALENESS=0):
        assert Reading(second, "a", Source(1), ttl=60, tagged=["t"], stale_for=0).value() == 1
        journal.write(connection, "test-late", digests(["t"]))  # as another process would

        assert Reading(second, "a", Source(2), ttl=60, tagged=["t"], stale_for=0).value() == 2
