"""Sets the environment and Django up for every test, and keeps what they all use."""

from __future__ import annotations

import os

# The suite must not depend on a developer's `.env`; DATABASE_URL, REDIS_URL and CACHE_BACKEND choose what it runs on.
os.environ["ENV_FILE"] = ""
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ.setdefault("DEBUG", "1")
os.environ.setdefault("SECRET_KEY", "a-key-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz")
os.environ.setdefault("INTERNAL_API_KEY", "an-internal-key-for-tests-0123456789-abcdefghij")
os.environ.setdefault("LOG_LEVEL", "WARNING")

import atexit
import gc
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

django.setup()

from rest_framework.test import APIClient  # noqa: E402

from events.garbage import collect_seldom  # noqa: E402


def _keep_apart() -> None:
    """A database and a cache prefix of this run's own; for SQLite a file, because threads and processes share it."""
    suffix = os.environ.get("PYTEST_DB_SUFFIX", "")
    database = settings.DATABASES["default"]
    name = f"test_rhiz{'_' + suffix if suffix else ''}"
    settings.CACHES["default"]["KEY_PREFIX"] = f"{name}-{os.getpid()}"
    if database["ENGINE"].endswith("sqlite3"):
        directory = tempfile.mkdtemp(prefix="rhiz-")
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
        name = str(Path(directory) / f"{name}.sqlite3")
    database.setdefault("TEST", {})["NAME"] = name


_keep_apart()


@pytest.fixture
def internal_key() -> str:
    """The key that opens /internal."""
    return settings.INTERNAL_API_KEY


@pytest.fixture
def api(internal_key: str) -> APIClient:
    """A client that sends the internal key with every request."""
    client = APIClient()
    client.credentials(HTTP_X_INTERNAL_KEY=internal_key)
    return client


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """No test sees another's cached values."""
    from cachecore import cache

    cache.clear()


@pytest.fixture(autouse=True)
def _figures_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees figures that another was told a moment before; all see those of their own transaction."""
    from events import stats

    stats.recent.forget()
    monkeypatch.setattr(stats.recent, "in_thread", False)


@pytest.fixture(scope="session", autouse=True)
def _silence(django_db_setup: None) -> Iterator[None]:
    """What keeps connections of its own to the test database ends before that can be dropped."""
    from cachecore.location import locations
    from events import wakeup

    yield
    wakeup.close()
    for location in locations():
        location.stop()


@pytest.fixture(scope="session", autouse=True)
def _only_tests_are_kept_from_the_database(django_db_blocker: Any) -> None:
    """The guard against tests that use the database unasked does not concern the cache's own connections."""
    refuse, connect = django_db_blocker._blocking_wrapper, django_db_blocker._real_ensure_connection

    def ensure_connection(connection: BaseDatabaseWrapper) -> None:
        if connections[connection.alias] is connection:
            refuse()
        connect(connection)

    type(django_db_blocker)._blocking_wrapper = property(lambda _: ensure_connection)
    BaseDatabaseWrapper.ensure_connection = ensure_connection  # type: ignore[assignment,method-assign]


def _left_out() -> dict[str, str]:
    """The markers of what can't be asked here, and why not."""
    left_out: dict[str, str] = {}
    if not settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
        left_out |= {"postgresql": "this is SQLite", "once": "the run on PostgreSQL asks it"}
    if not settings.REDIS_URL:
        left_out["redis"] = "there is none"
    for marker, program in {"promtool": "promtool", "browser": "chromium"}.items():
        if not shutil.which(program):
            left_out[marker] = f"{program} is not installed"
    return left_out


def pytest_report_header() -> str:
    """What this run leaves out."""
    return "left out: " + (", ".join(f"{marker} ({why})" for marker, why in _left_out().items()) or "nothing")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What can't be asked here is left out, counted as deselected."""
    absent = _left_out()
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in absent)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def collected_seldom() -> Iterator[None]:
    """Garbage collection as a web process configures it: one collection of the suite's objects takes 70 ms."""
    threshold = gc.get_threshold()
    collect_seldom()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)
