"""A wrong environment is told in full, by name, before anything starts; a right one becomes settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project.settings_process import PRODUCTION, run, setting


def test_every_mistake_is_told_at_once_without_a_traceback() -> None:
    wrong = {"EVENT_LANES": "0", "EVENT_BATCH_TIMEOUT": "soon", "LOG_LEVEL": "loud", "INTERNAL_RATE_LIMIT": "many"}
    done = run("manage.py", "check", variables={**PRODUCTION, **wrong})

    assert done.returncode == 1
    assert "EVENT_LANES is '0'; it accepts a whole number, 1 to 32767" in done.stderr
    assert "EVENT_BATCH_TIMEOUT is 'soon'; it accepts seconds, 1.0 to 3600.0" in done.stderr
    assert "LOG_LEVEL is 'loud'; it accepts DEBUG or INFO" in done.stderr
    assert "INTERNAL_RATE_LIMIT is 'many'; it accepts events per key" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "INTERNAL_API_KEY", "ALLOWED_HOSTS"])
def test_outside_debug_keys_and_hosts_are_required(name: str) -> None:
    done = run("manage.py", "check", variables={**PRODUCTION, name: ""})

    assert done.returncode == 1
    assert f"{name} is not set" in done.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "INTERNAL_API_KEY"])
@pytest.mark.parametrize(
    "weak",
    [
        "dev-internal-key",
        "changeme-changeme-changeme-changeme-changeme",
        "django-insecure-0123456789-0123456789-0123456789",
        "a" * 64,
        "k7-0qmW8sJ2xZyT4vB6nK9pL3dF5gH7",
    ],
)
def test_outside_debug_a_weak_key_refuses_to_start_and_is_not_repeated(name: str, weak: str) -> None:
    done = run("manage.py", "check", variables={**PRODUCTION, name: weak})

    assert done.returncode == 1
    assert f"{name} is too weak" in done.stderr
    assert weak not in done.stderr


def test_a_weak_former_key_refuses_to_start_too() -> None:
    done = run("manage.py", "check", variables={**PRODUCTION, "INTERNAL_API_KEY_FALLBACKS": "old-key"})

    assert done.returncode == 1
    assert "INTERNAL_API_KEY_FALLBACKS holds a weak key" in done.stderr


def test_urls_with_passwords_are_not_repeated() -> None:
    urls = {"DATABASE_URL": "mysql://u:hunter2@db/rhiz", "REDIS_URL": "http://:hunter2@redis"}
    done = run("manage.py", "check", variables={**PRODUCTION, **urls})

    assert "DATABASE_URL is not understood; it accepts postgresql://" in done.stderr
    assert "REDIS_URL is not understood; it accepts redis://" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("given", ["prometheus.internal", "10.0.0.0/33", "10.0.0.1/8"])
def test_what_is_no_address_may_not_read_metrics(given: str) -> None:
    done = run("manage.py", "check", variables={**PRODUCTION, "METRICS_ALLOW": f"127.0.0.1,{given}"})

    assert done.returncode == 1
    assert f"METRICS_ALLOW holds '{given}'; it accepts addresses or networks between commas" in done.stderr


def test_debug_needs_nothing() -> None:
    assert setting("settings.DEBUG", {"DEBUG": "1"}) == "True"


def test_an_empty_variable_counts_as_not_set() -> None:
    assert setting("settings.EVENT_LANES", {**PRODUCTION, "EVENT_LANES": ""}) == "64"


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("EVENT_LANES=8\nEVENT_WORKERS=2\n")
    read = setting(
        "settings.EVENT_LANES, settings.EVENT_WORKERS", {**PRODUCTION, "EVENT_LANES": "16"}, env_file=str(file)
    )

    assert read == "(16, 2)"


def test_redis_url_chooses_redis_and_none_chooses_memory() -> None:
    expression = "settings.CACHE_BACKEND, settings.CACHES['default']['LOCATION']"

    assert setting(expression, {**PRODUCTION, "REDIS_URL": "redis://r:1/0"}) == "('redis', 'redis://r:1/0')"
    assert setting(expression, PRODUCTION) == "('memory', '')"
    assert setting(expression, {**PRODUCTION, "REDIS_URL": "redis://r:1/0", "CACHE_BACKEND": "memory"}).endswith("'')")


def test_redis_without_its_url_is_a_mistake() -> None:
    done = run("manage.py", "check", variables={**PRODUCTION, "CACHE_BACKEND": "redis"})

    assert "CACHE_BACKEND is redis without REDIS_URL" in done.stderr


def test_postgresql_has_a_pool_that_holds_every_worker() -> None:
    expression = "settings.DATABASES['default']['OPTIONS']['pool']['max_size']"
    url = {"DATABASE_URL": "postgresql://u:p@db/rhiz"}

    assert setting(expression, {**PRODUCTION, **url, "EVENT_WORKERS": "40"}) == "50"


def test_behind_pgbouncer_nothing_needs_a_session() -> None:
    expression = (
        "settings.EVENT_LISTEN, settings.DATABASES['default']['DISABLE_SERVER_SIDE_CURSORS'], "
        "settings.DATABASES['default']['OPTIONS']['prepare_threshold']"
    )
    url = {"DATABASE_URL": "postgresql://u:p@db/rhiz", "DATABASE_PGBOUNCER": "1"}

    assert setting(expression, {**PRODUCTION, **url}) == "(False, True, None)"


def test_sqlite_writes_ahead_durably_and_one_writer_at_a_time() -> None:
    read = setting("settings.DATABASES['default']['OPTIONS']", PRODUCTION)

    assert "'transaction_mode': 'IMMEDIATE'" in read
    assert "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" in read
    assert "PRAGMA cache_size=" in read
    assert "PRAGMA wal_autocheckpoint=" in read


def test_a_relative_sqlite_file_is_the_same_wherever_a_process_starts() -> None:
    name = setting("settings.DATABASES['default']['NAME']", {**PRODUCTION, "DATABASE_URL": "sqlite:///some.sqlite3"})

    assert Path(name).is_absolute()
    assert Path(name).name == "some.sqlite3"


def test_the_deploy_check_is_clean_in_production() -> None:
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", variables=PRODUCTION)

    assert done.returncode == 0, done.stderr
