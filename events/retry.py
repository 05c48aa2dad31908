"""When an event that failed is tried again."""

from __future__ import annotations

FIRST_WAIT = 2.0  # seconds; doubled by each further attempt
JITTER = 0.1  # the share of a wait that chance may take off: those that failed together do not come back together


def wait_before_retry(attempts: int, max_retries: int, chance: float) -> float | None:
    """Seconds until the next try after `attempts` failed ones, or None if none is left: 2, 4, 8 s by default.

    `chance`, in 0..1, shortens the wait by up to a tenth and never lengthens it.
    """
    if attempts > max_retries:
        return None
    return float(FIRST_WAIT * 2 ** (attempts - 1) * (1 - JITTER * chance))
