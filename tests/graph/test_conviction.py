"""Convictions computed by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from rhiz.graph.conviction import Opinion, score, trend, weight

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def opinion(attestation_type: str, confidence: int = 100, days: float = 0, reputation: float = 0.5) -> Opinion:
    return Opinion(attestation_type, confidence, NOW - timedelta(days=days), reputation)


@pytest.mark.parametrize(
    ("opinions", "expected"),
    [
        ([], 0),
        ([opinion("verify")], 81),  # 50 + 25 * 1.25 = 81.25
        ([opinion("strengthen")], 66),  # 50 + 25 * 0.625 = 65.625
        ([opinion("weaken")], 34),  # 50 - 15.625 = 34.375
        ([opinion("dispute")], 3),  # 50 - 25 * 1.875 = 3.125
        ([opinion("verify"), opinion("verify")], 100),  # 112.5
        ([opinion("dispute"), opinion("dispute")], 0),  # -43.75
        ([opinion("verify"), opinion("dispute")], 34),  # 50 - 25 * 0.625
        ([opinion("verify", confidence=40)], 62),  # 62.5, to the even neighbour
        ([opinion("verify", confidence=0)], 50),
        ([opinion("verify", days=180)], 66),  # 50 + 31.25 / 2
        ([opinion("verify", days=360)], 58),  # 50 + 31.25 / 4 = 57.8125
        ([opinion("verify", days=90)], 72),  # 50 + 31.25 * 0.70711 = 72.097
        ([opinion("verify", reputation=0)], 62),  # 50 + 12.5
        ([opinion("verify", reputation=1, confidence=50)], 75),  # 50 + 25 * 2 * 0.5
    ],
)
def test_score(opinions: list[Opinion], expected: int) -> None:
    assert score(opinions, NOW) == expected


def test_what_came_later_is_not_there_yet() -> None:
    later = opinion("dispute", days=-1)
    assert score([later], NOW) == 0
    assert score([opinion("verify"), later], NOW) == 81
    assert score([later], NOW + timedelta(days=1)) == 3


def test_an_opinion_of_this_very_moment_counts() -> None:
    assert score(iter([opinion("verify", days=0)]), NOW) == 81


def test_the_order_does_not_matter() -> None:
    random = Random(7)
    opinions = [
        opinion(random.choice(("verify", "dispute")), random.randint(0, 100), random.random() * 900) for _ in range(500)
    ]
    expected = score(opinions, NOW)
    for _ in range(20):
        random.shuffle(opinions)
        assert score(opinions, NOW) == expected


def test_weight_multiplies_all_it_depends_on() -> None:
    assert weight(opinion("dispute", 50, 180, 1.0), NOW) == -1.5 * 2.0 * 0.5 * 0.5


@pytest.mark.parametrize(
    ("recent", "previous", "expected"),
    [
        ("", "", "stable"),
        ("++", "", "stable"),  # fewer than three
        ("+++", "", "increasing"),
        ("---", "", "decreasing"),
        ("++-", "", "increasing"),
        ("+++", "++", "stable"),  # half more, not over half
        ("++++", "++", "increasing"),
        ("+++", "++++++", "stable"),
        ("+++", "+++++++", "decreasing"),
        ("---", "----", "stable"),
        ("---", "--------", "increasing"),  # fewer disputes than before
        ("+-+-", "", "stable"),
    ],
)
def test_trend(recent: str, previous: str, expected: str) -> None:
    types = {"+": "strengthen", "-": "weaken"}
    opinions = [opinion(types[sign], days=10) for sign in recent] + [opinion(types[sign], days=40) for sign in previous]
    assert trend(opinions, NOW) == expected


def test_trend_looks_at_sixty_days_and_not_ahead() -> None:
    assert trend([opinion("verify", days=-1)] * 3, NOW) == "stable"
    assert trend([opinion("verify", days=30)] * 3 + [opinion("dispute", days=61)] * 9, NOW) == "increasing"
    assert trend([opinion("verify", days=30)] * 3 + [opinion("verify", days=60)] * 9, NOW) == "decreasing"
