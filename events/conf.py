"""The log's and the intake's settings, each read once from Django's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed


@dataclass(frozen=True)
class EventConf:
    """One field a setting: `lanes` is `EVENT_LANES`, and so on."""

    lanes: int = 64
    workers: int = 4
    batch_size: int = 500
    queue_capacity: int = 100_000
    max_retries: int = 3
    batch_timeout: float = 30.0  # seconds
    retention_days: int = 30
    listen: bool = True
    fast_door: bool = True

    @classmethod
    def from_settings(cls) -> EventConf:
        names = {name: f"EVENT_{name.upper()}" for name in cls.__dataclass_fields__}
        return cls(**{name: getattr(settings, full) for name, full in names.items() if hasattr(settings, full)})


@dataclass(frozen=True)
class IntakeConf:
    """Who may send how much."""

    keys: tuple[str, ...]  # INTERNAL_API_KEY, then its fallbacks
    body_limit: int  # bytes
    in_flight_limit: int  # requests
    rate_limit: str  # as INTERNAL_RATE_LIMIT is written

    @classmethod
    def from_settings(cls) -> IntakeConf:
        return cls(
            tuple(key for key in (settings.INTERNAL_API_KEY, *settings.INTERNAL_API_KEY_FALLBACKS) if key),
            settings.INTERNAL_BODY_LIMIT,
            settings.INTERNAL_IN_FLIGHT_LIMIT,
            settings.INTERNAL_RATE_LIMIT,
        )


class _Lazy:
    """Read at the first look, again after a change of Django's settings; in between an ordinary object.

    Django's own lazy object takes half a microsecond an attribute, and a request looks at ten.
    """

    def __init__(self, read: Callable[[], object]) -> None:
        self._read = read
        setting_changed.connect(self._forget)

    def __getattr__(self, name: str) -> Any:
        vars(self).update(vars(self._read()))
        try:
            return vars(self)[name]
        except KeyError:
            raise AttributeError(name) from None

    def _forget(self, **_: object) -> None:
        self.__dict__ = {"_read": self._read}


conf: EventConf = _Lazy(EventConf.from_settings)  # type: ignore[assignment]
intake: IntakeConf = _Lazy(IntakeConf.from_settings)  # type: ignore[assignment]
