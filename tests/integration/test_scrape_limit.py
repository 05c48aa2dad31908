"""What a scrape may cost on a log of five million events."""

from __future__ import annotations

import time

import pytest
from django.test import Client

from events import stats
from health import sampler
from tests.integration.large_log import fill

EVENTS = 5_000_000
PENDING = 100_000  # the capacity
LIMIT = 0.050  # seconds
SCRAPES = 40


@pytest.mark.proof
@pytest.mark.postgresql
@pytest.mark.usefixtures("collected_seldom")
def test_a_scrape_stays_under_50_ms_on_five_million_events_with_a_full_queue(
    transactional_db: None,
    monkeypatch: pytest.MonkeyPatch,
    client: Client,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sampler, "read", dict)  # in a web process this is read from memory
    fill(EVENTS - PENDING, PENDING)
    took = []
    for _ in range(SCRAPES):
        stats.recent.forget()
        began = time.perf_counter()
        response = client.get("/metrics")
        took.append(time.perf_counter() - began)
        assert f"rhiz_events_in_queue {PENDING}" in response.content.decode()
    took.sort()
    half, most = took[SCRAPES // 2], took[int(0.95 * SCRAPES)]
    with capsys.disabled():
        print(f"\n  a scrape: p50 {1000 * half:.1f} ms, p95 {1000 * most:.1f} ms", end="")
    assert most < LIMIT, [round(1000 * seconds, 1) for seconds in took]
