"""The claim as a model: the oldest version of each key that a read which begins now may be told."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

BOUND = 2.0  # seconds within which others perform what its own process could not
MARGIN = 0.05  # seconds that the model grants itself for looking


@dataclass(frozen=True)
class Outstanding:
    """A version that everyone must know of at `due`, by the monotonic clock."""

    key: str
    version: int
    due: float


class Claim:
    """What was promised so far. Versions of a key only grow; `actor` is a process by its number.

    Processes in memory ask the journal at every tagged read here, so the first of the three bounds is zero.
    """

    def __init__(self, keys: Iterable[str], actors: int) -> None:
        self._everyone = dict.fromkeys(keys, 0)
        self._own: list[dict[str, int]] = [dict(self._everyone) for _ in range(actors)]
        self._returned = dict(self._everyone)
        self._outstanding: list[Outstanding] = []
        self._never: set[tuple[str, int]] = set()

    def returned(self, actor: int, key: str, version: int, *, reached: bool) -> None:
        """An invalidation has returned; `reached` says that its process was served by Redis."""
        self._returned[key] = max(self._returned[key], version)
        self._own[actor][key] = max(self._own[actor][key], version)
        if reached:
            self._everyone[key] = max(self._everyone[key], version)
        else:
            self._owe(key, version)

    def rolled_back(self, key: str, version: int) -> None:
        """This version was never true."""
        self._never.add((key, version))

    def died(self, key: str, version: int, *, committed: bool) -> None:
        """A process was killed before its invalidation returned."""
        if committed:
            self._owe(key, version)
        else:
            self.rolled_back(key, version)

    def replaced(self, actor: int) -> None:
        """Another process runs in its place, which knows only what everyone does."""
        self._own[actor] = dict(self._everyone)

    def floors(self, actor: int) -> tuple[dict[str, int], dict[str, int]]:
        """The oldest versions for a read that begins now: anywhere, and if all of it happens in local memory."""
        now = time.monotonic()
        for one in [one for one in self._outstanding if one.due <= now]:
            self._outstanding.remove(one)
            self._everyone[one.key] = max(self._everyone[one.key], one.version)
        anywhere = {key: max(self._own[actor][key], known) for key, known in self._everyone.items()}
        return anywhere, {key: max(self._returned[key], known) for key, known in anywhere.items()}

    def outstanding(self) -> float:
        """Seconds until nothing is outstanding any more."""
        now = time.monotonic()
        return max([0.0, *(one.due - now for one in self._outstanding)])

    def check(self, told: Mapping[str, int], floors: Mapping[str, int], story: str) -> None:
        """Fail if an answer is older than its floor, or was never true."""
        for key, version in told.items():
            assert version >= floors[key], f"STALE: {key} is {version}, must be {floors[key]} at least{story}"
            assert (key, version) not in self._never, f"NEVER TRUE: {key} is {version}{story}"

    def _owe(self, key: str, version: int) -> None:
        self._outstanding.append(Outstanding(key, version, time.monotonic() + BOUND + MARGIN))
