"""The log's settings, read once from Django's and frozen."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.functional import LazyObject, empty


@dataclass(frozen=True, slots=True)
class EventConf:
    """One field a setting: `lanes` is `EVENT_LANES`, and so on."""

    lanes: int = 64
    workers: int = 10
    batch_size: int = 300
    queue_capacity: int = 100_000
    max_retries: int = 3
    batch_timeout: float = 30.0  # seconds
    retention_days: int = 30
    listen: bool = True

    @classmethod
    def from_settings(cls) -> EventConf:
        given = {name: getattr(settings, f"EVENT_{name.upper()}", None) for name in cls.__slots__}
        return cls(**{name: value for name, value in given.items() if value is not None})


class _LazyConf(LazyObject):
    def _setup(self) -> None:
        self._wrapped = EventConf.from_settings()


conf: EventConf = _LazyConf()  # type: ignore[assignment]


def _forget(*, setting: str, **_: object) -> None:
    if setting.startswith("EVENT_"):
        conf._wrapped = empty  # type: ignore[attr-defined]


setting_changed.connect(_forget)
