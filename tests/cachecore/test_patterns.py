"""Patterns mean the same in local memory as in Redis, and an escaped text means itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from hypothesis import example, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from redis import Redis

from cachecore import escape, patterns

texts = st.text(st.sampled_from("abc-]*?[\\^:"), max_size=8)


def fits(pattern: str, text: str) -> bool:
    return re.fullmatch(patterns.as_regex(pattern), text, re.DOTALL) is not None


@given(st.text(), st.text())
def test_an_escaped_text_fits_itself_alone(text: str, other: str) -> None:
    assert fits(escape(text), text)
    assert fits(escape(text), other) == (text == other)


@given(st.text(), st.text(), st.text())
def test_a_star_between_escaped_texts_fits_whatever_stands_there(before: str, between: str, after: str) -> None:
    assert fits(f"{escape(before)}*{escape(after)}", before + between + after)


@pytest.mark.redis
class TestAsRedisDoes:
    @pytest.fixture(scope="class")
    @classmethod
    def redis(cls) -> Iterator[Any]:
        with Redis.from_url(settings.REDIS_URL) as client:
            yield client

    @limits(deadline=None)
    @example(pattern="[a-b]", text="b")
    @example(pattern="[^a]", text="b")
    @example(pattern="\\*", text="*")
    @example(pattern="[\\]]", text="]")
    @given(pattern=texts, text=texts.filter(bool))
    def test_a_pattern_fits_here_what_it_fits_there(self, redis: Any, pattern: str, text: str) -> None:
        key = f"patterns:{text}"
        redis.set(key, 1, px=10_000)
        found = any(name == key.encode() for name in redis.scan_iter(match=f"patterns:{pattern}", count=10_000))
        redis.delete(key)

        assert fits(f"patterns:{pattern}", key) == found
