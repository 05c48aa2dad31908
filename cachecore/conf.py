"""The cache's settings, read once from Django's and frozen; every one has a default."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.functional import LazyObject, empty


@dataclass(frozen=True, slots=True)
class CacheConf:
    """One field a setting: `timeout` is `CACHE_TIMEOUT`, and so on."""

    default_ttl: int = 3_600  # seconds
    max_memory_size: int = 10_000  # keys
    fallback_staleness: float = 1.0  # seconds
    timeout: float = 0.1  # seconds, to connect and to answer

    @classmethod
    def from_settings(cls) -> CacheConf:
        given = {name: getattr(settings, f"CACHE_{name.upper()}", None) for name in cls.__slots__}
        return cls(**{name: value for name, value in given.items() if value is not None})


class _LazyConf(LazyObject):
    def _setup(self) -> None:
        self._wrapped = CacheConf.from_settings()


conf: CacheConf = _LazyConf()  # type: ignore[assignment]  # it behaves as what it wraps


def _forget(*, setting: str, **_: object) -> None:
    if setting.startswith("CACHE_"):
        conf._wrapped = empty  # type: ignore[attr-defined]  # LazyObject's own


setting_changed.connect(_forget)
