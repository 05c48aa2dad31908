"""Values as they lie in Redis: pickled, and signed, because unpickling what a stranger wrote would run his code."""

from __future__ import annotations

import hashlib
import hmac
import pickle
from functools import lru_cache
from typing import Any

from django.conf import settings
from django_redis.serializers.base import BaseSerializer

VERSION = b"\x81"  # no digit and no ASCII, so that nothing signed is ever taken for one of Redis's integers
SIGNATURE = 16  # bytes of HMAC-SHA256 that are kept
_HEAD = len(VERSION) + SIGNATURE


class Unverified(ValueError):
    """Bytes that nobody with our SECRET_KEY wrote, or that can't be read any more."""


class SignedPickle(BaseSerializer):
    """A django-redis SERIALIZER: one byte of version, the signature, the pickle.

    Signed with SECRET_KEY, verified with SECRET_KEY_FALLBACKS as well: a rotated key empties no cache.
    """

    def dumps(self, value: Any) -> bytes:
        pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        return VERSION + _signature(_key(settings.SECRET_KEY), pickled) + pickled

    def loads(self, value: bytes) -> Any:
        """The value. Raises Unverified, and then nothing of the bytes was interpreted, let alone run."""
        if value[:1] != VERSION:
            raise Unverified("not written by this cache")
        given, pickled = value[1:_HEAD], value[_HEAD:]
        if not (
            _fits(given, settings.SECRET_KEY, pickled)
            or any(_fits(given, secret, pickled) for secret in settings.SECRET_KEY_FALLBACKS)
        ):
            raise Unverified("the signature does not fit")
        try:
            return pickle.loads(pickled)  # noqa: S301 - the signature says that it is our own
        except Exception as error:
            # A class that another release knows and this one does not.
            raise Unverified(f"can't be unpickled: {error!r}") from error


def _fits(given: bytes, secret: str | bytes, pickled: bytes) -> bool:
    return hmac.compare_digest(given, _signature(_key(secret), pickled))


def _signature(key: bytes, pickled: bytes) -> bytes:
    return hmac.digest(key, pickled, "sha256")[:SIGNATURE]


@lru_cache(maxsize=16)
def _key(secret: str | bytes) -> bytes:
    """A key of our own: a signature made for the cache is worth nothing elsewhere in Django."""
    given = secret if isinstance(secret, bytes) else secret.encode()
    return hashlib.sha256(b"cachecore.serializer\x00" + given).digest()
