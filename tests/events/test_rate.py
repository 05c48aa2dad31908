"""The rate limit: shared by processes, counted in events, and never a reason to fail or to wait."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import throttled
from django.conf import settings as project
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings
from redis import Redis
from rest_framework.test import APIClient

from events.intake import core
from events.intake.rate import LIFE, Limiter, Verdict
from events.intake.tokens import Grant, Limit, Tokens
from tests.events.hostile import event
from tests.proxy import Mode, Proxy

ROOT = Path(__file__).resolve().parent.parent.parent
TIMEOUT = 0.1  # seconds


class Clock:
    """A clock that a test sets, for the limiter and for the buckets in memory alike."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Watched(Tokens):
    """Tokens that note what they were asked for."""

    def __init__(self, clock: Callable[[], float], url: str = "") -> None:
        super().__init__(url, timeout=TIMEOUT, clock=clock)
        self.asked: list[int] = []

    def ask(self, name: str, limit: Limit, number: int) -> Grant:
        self.asked.append(number)
        return super().ask(name, limit, number)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    ours = Clock()
    monkeypatch.setattr(throttled.utils, "now_mono_f", ours)
    return ours


def limiter_of(clock: Callable[[], float], limit: str = "5000/second", url: str = "") -> tuple[Limiter, Watched]:
    tokens = Watched(clock, url)
    prefix = f"{project.CACHES['default']['KEY_PREFIX']}-{uuid4()}"
    return Limiter(lambda: tokens, lambda: limit, prefix=lambda: prefix, clock=clock), tokens


def passes(limiter: Limiter, events: int) -> bool:
    return limiter.take("a", events).problem is None


class TestLimit:
    def test_5000_pass_at_once_by_default_and_no_more(self, clock: Clock) -> None:
        limiter, _ = limiter_of(clock)
        assert passes(limiter, 5_000)
        assert not passes(limiter, 1)

    def test_it_counts_events_not_requests(self, clock: Clock) -> None:
        limiter, _ = limiter_of(clock, "100/second")
        assert [passes(limiter, 30) for _ in range(4)] == [True, True, True, False]
        assert passes(limiter, 10)

    def test_each_key_has_its_own(self, clock: Clock) -> None:
        limiter, _ = limiter_of(clock, "10/second")
        assert limiter.take("a", 10).problem is None
        assert limiter.take("b", 10).problem is None

    def test_refused_events_cost_nothing(self, clock: Clock) -> None:
        limiter, _ = limiter_of(clock, "100/minute")
        assert passes(limiter, 60)
        assert [passes(limiter, 50) for _ in range(20)] == [False] * 20
        assert passes(limiter, 40)

    @pytest.mark.parametrize(
        ("limit", "events", "seconds"), [("100/minute", 100, 60), ("36/hour", 36, 3_600), ("8/day", 8, 86_400)]
    )
    def test_other_units(self, clock: Clock, limit: str, events: int, seconds: int) -> None:
        limiter, _ = limiter_of(clock, limit)
        assert [passes(limiter, 1) for _ in range(events + 1)] == [True] * events + [False]
        clock.now += 1.01 * seconds / events
        assert [passes(limiter, 1), passes(limiter, 1)] == [True, False]
        clock.now += seconds
        assert passes(limiter, events)

    def test_a_refusal_says_when_to_come_back_and_then_it_passes(self, clock: Clock) -> None:
        limiter, _ = limiter_of(clock, "100/minute")
        passes(limiter, 100)
        problem = limiter.take("a", 50).problem
        assert problem is not None
        assert (problem.status, problem.kind) == (429, "rate-limited")
        assert problem.headers["Retry-After"] == str(problem.members["retry_after"]) == "30"
        clock.now += 30.01
        assert passes(limiter, 50)

    def test_more_than_ever_fits_is_told_how_many_do(self, clock: Clock) -> None:
        limiter, _ = limiter_of(clock, "100/second")
        problem = limiter.take("a", 101).problem
        assert problem is not None
        assert "100" in problem.members["allowed"]

    def test_the_fields_tell_the_limit_and_what_is_left(self, clock: Clock) -> None:
        limiter, _ = limiter_of(clock, "100/minute")
        assert limiter.take("a", 40).headers == {
            "RateLimit-Policy": '"events";q=100;w=60',
            "RateLimit": '"events";r=60;t=24',
        }
        refused = limiter.take("a", 61)
        assert refused.problem is not None
        assert refused.problem.headers["RateLimit"] == refused.headers["RateLimit"] == '"events";r=60;t=24'

    @given(
        takes=st.lists(st.tuples(st.integers(1, 700), st.floats(0, 0.3)), min_size=1, max_size=60),
        limit=st.integers(1, 600),
    )
    def test_no_stretch_of_time_lets_more_through(self, takes: list[tuple[int, float]], limit: int) -> None:
        """At most the limit at once, and the limit's rate from then on, in every interval."""
        clock = Clock()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(throttled.utils, "now_mono_f", clock)
            limiter, _ = limiter_of(clock, f"{limit}/second")
            passed: list[tuple[float, int]] = []
            for events, pause in takes:
                clock.now += pause
                if passes(limiter, events):
                    passed.append((clock.now, events))
        # A block may be held for LIFE before it is spent.
        ahead = min(LIFE, 1.0) * 0.1 * limit
        for first in range(len(passed)):
            for last in range(first, len(passed)):
                together = sum(events for _, events in passed[first : last + 1])
                assert together <= limit + ahead + limit * (passed[last][0] - passed[first][0]) + 1e-3


class TestBlocks:
    def test_most_requests_ask_nobody(self, clock: Clock) -> None:
        limiter, tokens = limiter_of(clock)
        assert all(passes(limiter, 1) for _ in range(500))
        assert tokens.asked == [501]

    def test_slow_limits_take_nothing_ahead(self, clock: Clock) -> None:
        limiter, tokens = limiter_of(clock, "100/minute")
        assert passes(limiter, 1)
        assert tokens.asked == [1]

    def test_what_is_left_of_a_block_expires(self, clock: Clock) -> None:
        limiter, tokens = limiter_of(clock)
        passes(limiter, 1)
        clock.now += LIFE
        assert not limiter._known(limiter._purse("a", Limit(5_000, 1)), Limit(5_000, 1), 1)
        passes(limiter, 1)
        assert tokens.asked == [501, 501]

    def test_the_last_tokens_are_given_without_a_block(self, clock: Clock) -> None:
        limiter, tokens = limiter_of(clock)
        assert passes(limiter, 4_000)
        assert passes(limiter, 1_000)
        assert sum(number for number in tokens.asked if number in (4_500, 500)) == 5_000
        assert not passes(limiter, 1)

    def test_a_refusal_is_remembered(self, clock: Clock) -> None:
        limiter, tokens = limiter_of(clock)
        passes(limiter, 5_000)
        passes(limiter, 500)
        asked = len(tokens.asked)
        assert not any(passes(limiter, 500 + n) for n in range(100))
        assert len(tokens.asked) == asked

    def test_what_is_at_hand_is_taken_without_asking_redis(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        limiter, tokens = limiter_of(clock)
        monkeypatch.setattr(Watched, "at_hand", False)
        assert limiter.take_at_hand("a", 1) is None
        passes(limiter, 1)
        assert limiter.take_at_hand("a", 501) is None, "nor is anything taken"
        assert limiter.take_at_hand("a", 500) is not None
        assert limiter.take_at_hand("a", 1) is None
        assert tokens.asked == [501]

    def test_what_is_held_is_nobody_elses_while_more_is_asked_for(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limiter, tokens = limiter_of(clock)
        monkeypatch.setattr(Watched, "at_hand", False)
        assert passes(limiter, 1)
        seen: list[Verdict | None] = []
        ask = tokens.ask

        def watch(name: str, limit: Limit, number: int) -> Grant:
            seen.append(limiter.take_at_hand("a", 1))
            return ask(name, limit, number)

        monkeypatch.setattr(tokens, "ask", watch)
        assert passes(limiter, 600)
        assert seen == [None]
        assert tokens.asked == [501, 600]

    def test_threads_together_never_exceed_the_limit(self, clock: Clock) -> None:
        limiter, _ = limiter_of(clock, "1000/second")
        passed: list[int] = []

        def send() -> None:
            passed.extend(7 for _ in range(60) if passes(limiter, 7))

        threads = [threading.Thread(target=send) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 1_000 - 7 < sum(passed) <= 1_000


SENDER = """
import sys, time
from redis import Redis
from events.intake.rate import Limiter, Verdict
from events.intake.tokens import Tokens
url, prefix, passed = sys.argv[1], sys.argv[2], 0
tokens = Tokens(url, timeout=2.0)
limiter = Limiter(lambda: tokens, lambda: "2000/hour", prefix=lambda: prefix)
redis = Redis.from_url(url)
redis.incr(prefix + "started")
while int(redis.get(prefix + "started")) < 2:
    time.sleep(0.001)
for _ in range(400):
    passed += 7 * (limiter.take("a", 7).problem is None)
print(passed)
"""


@pytest.mark.redis
class TestRedis:
    def test_processes_share_one_limit(self) -> None:
        prefix = f"{project.CACHES['default']['KEY_PREFIX']}-{uuid4()}"
        command = [sys.executable, "-c", SENDER, project.REDIS_URL, prefix]
        both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        passed = [int(process.communicate(timeout=60)[0]) for process in both]
        # In the meantime the bucket fills by one token in 1.8 s.
        assert 2_000 - 14 <= sum(passed) <= 2_000 + 35
        assert all(passed)

    @pytest.fixture
    def proxy(self) -> Iterator[Proxy]:
        port = Redis.from_url(project.REDIS_URL).connection_pool.connection_kwargs["port"]
        with Proxy(int(port)) as proxy:
            yield proxy

    @pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.HANG])
    def test_it_goes_on_locally_while_redis_is_down(self, proxy: Proxy, mode: Mode) -> None:
        clock = Clock()
        limiter, _ = limiter_of(clock, "100/hour", proxy.redis_url)
        assert passes(limiter, 60)
        proxy.set(mode)
        began = time.monotonic()
        # The bucket of this process alone: full, and its limit is the same.
        assert [passes(limiter, 50) for _ in range(50)] == [True, True] + [False] * 48
        assert time.monotonic() - began < 25 * TIMEOUT, "the outage was paid for once"
        assert limiter.take_at_hand("a", 50) is not None

    def test_it_is_shared_again_once_redis_is_back(self, proxy: Proxy) -> None:
        clock = Clock()
        limiter, tokens = limiter_of(clock, "100/hour", proxy.redis_url)
        assert passes(limiter, 60)
        proxy.set(Mode.REFUSE)
        assert passes(limiter, 90)
        proxy.set(Mode.PASS)
        assert tokens.at_hand, "not before the pause is over"
        clock.now += 1.0
        assert not tokens.at_hand
        assert passes(limiter, 40)
        assert not tokens.at_hand
        assert not passes(limiter, 2), "of the shared bucket 60 were gone"

    def test_an_outage_is_asked_about_ever_less(self, proxy: Proxy) -> None:
        clock = Clock()
        tokens = Tokens(proxy.redis_url, timeout=TIMEOUT, clock=clock)
        proxy.set(Mode.REFUSE)
        tries = 0
        for _ in range(6_000):  # ten minutes
            clock.now += 0.1
            tries += not tokens.at_hand
            tokens.ask("a", Limit(1, 1), 1)
        assert 55 <= tries <= 85


@pytest.mark.django_db
class TestDoor:
    @pytest.fixture(autouse=True)
    def _small(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.INTERNAL_RATE_LIMIT = "10/hour"
        settings.INTERNAL_API_KEY_FALLBACKS = ["the-key-of-yesterday"]
        prefix = f"{project.CACHES['default']['KEY_PREFIX']}-{uuid4()}"
        url = project.REDIS_URL if project.CACHE_BACKEND == "redis" else ""
        monkeypatch.setattr(core, "limiter", Limiter(lambda: tokens, prefix=lambda: prefix))
        tokens = Tokens(url, timeout=2.0)

    def post(self, api: APIClient, number: int, **headers: str) -> tuple[int, dict[str, str]]:
        body = b"[" + b",".join([event()] * number) + b"]"
        response = api.generic(
            "POST", "/internal/events", body.decode(), content_type="application/json", headers=headers
        )
        return response.status_code, dict(response.items())

    def test_a_batch_over_what_is_left_is_refused_whole(self, api: APIClient) -> None:
        assert self.post(api, 8)[0] == 202
        status, headers = self.post(api, 3)
        assert (status, headers["Content-Type"]) == (429, "application/problem+json")
        assert int(headers["Retry-After"]) == 360
        assert headers["RateLimit"].startswith('"events";r=2;')
        status, headers = self.post(api, 2)
        assert (status, headers["RateLimit-Policy"]) == (202, '"events";q=10;w=3600')

    def test_what_is_no_event_costs_nothing(self, api: APIClient) -> None:
        for _ in range(20):
            response = api.generic("POST", "/internal/events", '[{"did":"x"}]', content_type="application/json")
            assert response.status_code == 207
        assert self.post(api, 10)[0] == 202

    def test_a_rotation_neither_doubles_nor_halves_it(self, api: APIClient) -> None:
        assert self.post(api, 6)[0] == 202
        assert self.post(api, 4, **{"X-Internal-Key": "the-key-of-yesterday"})[0] == 202
        assert self.post(api, 1)[0] == 429
        assert self.post(api, 1, **{"X-Internal-Key": "the-key-of-yesterday"})[0] == 429
