"""Local memory as a cache: Django's, bounded, with stamps of its own."""

from __future__ import annotations

import pickle
import re
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Any

from django.core.cache.backends.locmem import LocMemCache

from cachecore import patterns
from cachecore.tags import new_stamp

OUTAGE_TIMEOUT = 60.0  # seconds that a value set during an outage lives at most
MISSING: Any = object()


class Memory(LocMemCache):
    """What one process remembers, least recently used out first.

    Keys are given as they are stored: made and validated by the backend. `longest` bounds the life of every value,
    in seconds; None leaves it as it is set. Beside LocMemCache's own methods these are the ones that `RedisStore`
    has too.
    """

    def __init__(self, max_entries: int, longest: float | None = None) -> None:
        super().__init__("", {"OPTIONS": {"MAX_ENTRIES": max_entries}})
        # LocMemCache shares its dictionaries by name with every other of that name; these are nobody else's.
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._expire_info: dict[str, float | None] = {}
        self._lock = Lock()
        self._stamps: OrderedDict[bytes, bytes] = OrderedDict()
        self._longest = longest

    def make_and_validate_key(self, key: str, version: int | None = None) -> str:
        return key

    def get_backend_timeout(self, timeout: Any = None) -> float | None:
        if timeout is None:
            return None if self._longest is None else time.time() + self._longest
        if self._longest is not None and timeout > self._longest:
            timeout = self._longest
        return time.time() + timeout if timeout > 0 else -1

    # Django's get and set, without making and validating the key once more: a fifth of their time.

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        with self._lock:
            pickled = self._cache.get(key)
            if pickled is None:
                return default
            end = self._expire_info[key]
            if end is not None and end <= time.time():
                del self._cache[key], self._expire_info[key]
                return default
            self._cache.move_to_end(key, last=False)
        return pickle.loads(pickled)  # noqa: S301 - pickled in this process

    def set(self, key: str, value: Any, timeout: Any = None, version: int | None = None) -> None:
        pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        end = self.get_backend_timeout(timeout)
        with self._lock:
            if len(self._cache) >= self._max_entries and key not in self._cache:
                self._cull()
            self._cache[key] = pickled
            self._cache.move_to_end(key, last=False)
            self._expire_info[key] = end

    def _cull(self) -> None:
        # LocMemCache drops a third at once; one makes room too, and the least recently used goes, not a third of all.
        key, _ = self._cache.popitem()
        del self._expire_info[key]

    # --- The store's verbs that LocMemCache has otherwise or not at all -------------------------------------

    def read(self, keys: Sequence[str], digests: Sequence[bytes] = ()) -> tuple[list[Any], list[bytes | None]]:
        """The values of `keys`, MISSING where there is none, and the stamps of `digests`."""
        return [self.get(key, MISSING) for key in keys], self.stamps(digests)

    def set_many(self, data: Mapping[str, Any], timeout: float | None = None, version: int | None = None) -> list[str]:
        for key, value in data.items():
            self.set(key, value, timeout)
        return []

    def delete_many(self, keys: Iterable[str], version: int | None = None) -> None:
        for key in keys:
            self.delete(key)

    def clear_pattern(self, pattern: str) -> int:
        """Forget the keys that fit one of Redis's patterns; how many there were."""
        fits = re.compile(patterns.as_regex(pattern), re.DOTALL).fullmatch
        with self._lock:
            found = [key for key in self._cache if fits(key)]
            return sum(self._delete(key) for key in found)  # type: ignore[attr-defined]  # LocMemCache's

    # --- Stamps ---------------------------------------------------------------------------------------------

    def stamps(self, digests: Sequence[bytes]) -> list[bytes | None]:
        """The stamps of `digests`, None for those that have none."""
        with self._lock:
            return [self._stamps.get(one) for one in digests]

    def stamped(self, digests: Sequence[bytes]) -> list[bytes | None]:
        """The stamps of `digests`, made where there were none."""
        with self._lock:
            for one in digests:
                if one not in self._stamps:
                    self._stamps[one] = new_stamp()
                self._stamps.move_to_end(one)
            found: list[bytes | None] = [self._stamps[one] for one in digests]
            while len(self._stamps) > max(self._max_entries, len(digests)):
                self._stamps.popitem(last=False)
            return found

    def drop(self, digests: Iterable[bytes] | None) -> None:
        """Invalidate these; None means all that there are."""
        with self._lock:
            if digests is None:
                self._stamps.clear()
            else:
                for one in digests:
                    self._stamps.pop(one, None)

    # --- Figures --------------------------------------------------------------------------------------------

    def size(self) -> tuple[int, int]:
        """How many keys there are, and the bytes of their pickled values."""
        with self._lock:
            return len(self._cache), sum(map(len, self._cache.values()))
