"""Conviction: how sure the network is of a relationship, from what others attest. Pure; the clock is an argument.

Nothing of it is stored. It is computed for a point in time, from the attestations that were made until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from math import fsum
from typing import Literal, NamedTuple

WEIGHTS = {"verify": 1.0, "strengthen": 0.5, "weaken": -0.5, "dispute": -1.5}
DEFAULT_REPUTATION = 0.5  # 0-1, of an attester of whom nothing is known
HALF_LIFE = timedelta(days=180)  # an attestation of this age counts half
NEUTRAL = 50.0  # the score of attestations that cancel each other out
POINTS = 25.0  # a unit of weight moves the score by these

TREND_WINDOW = timedelta(days=30)
TREND_MINIMUM = 3  # attestations in the last window; fewer say nothing
TREND_MARGIN = 0.5  # how much of the window before must be gained or lost

Trend = Literal["increasing", "stable", "decreasing"]


class Opinion(NamedTuple):
    """What an attestation adds to a conviction."""

    attestation_type: str  # a key of WEIGHTS
    confidence: int  # 0-100
    created_at: datetime
    reputation: float = DEFAULT_REPUTATION  # the attester's, 0-1


def score(opinions: Iterable[Opinion], as_of: datetime) -> int:
    """The conviction at `as_of`, 0-100; 0 if nobody had attested anything by then.

    Give the opinions in the order of their attestations' URIs. They are read once and not kept.
    """
    count = 0

    def weights() -> Iterator[float]:
        nonlocal count
        for opinion in opinions:
            if opinion.created_at <= as_of:
                count += 1
                yield weight(opinion, as_of)

    total = fsum(weights())
    return max(0, min(100, round(NEUTRAL + POINTS * total))) if count else 0


def weight(opinion: Opinion, as_of: datetime) -> float:
    """What one opinion counts at `as_of`: less the older it is, more the better its attester is known."""
    decay = 0.5 ** ((as_of - opinion.created_at) / HALF_LIFE)
    return WEIGHTS[opinion.attestation_type] * (0.5 + 1.5 * opinion.reputation) * decay * opinion.confidence / 100


def trend(opinions: Iterable[Opinion], as_of: datetime) -> Trend:
    """Whether the last 30 days before `as_of` speak for the relationship more than the 30 days before those did.

    Each attestation for it counts 1, each against it -1. A window must differ from the one before by more than
    half of that one's sum; with fewer than three attestations in the last, it is "stable".
    """
    recent = previous = recent_count = 0
    for opinion in opinions:
        age = as_of - opinion.created_at
        direction = 1 if WEIGHTS[opinion.attestation_type] > 0 else -1
        if timedelta(0) <= age <= TREND_WINDOW:
            recent += direction
            recent_count += 1
        elif TREND_WINDOW < age <= 2 * TREND_WINDOW:
            previous += direction
    margin = TREND_MARGIN * abs(previous)
    if recent_count < TREND_MINIMUM or abs(recent - previous) <= margin:
        return "stable"
    return "increasing" if recent > previous else "decreasing"
