"""Who may speak to /internal: holders of the internal key, and for reading staff sessions too."""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from events import conf

HEADER = "X-Internal-Key"
HOLDER = "internal"  # of the key and of its fallbacks: one caller, whose limit a rotation neither doubles nor halves


class KeyHolder:
    """`request.auth` of a request that came with an internal key."""


class WrongKeyError(PermissionDenied):
    """403: a key was given, and it is none of ours."""

    default_detail = f"{HEADER} is not a key of this service"


def is_key(given: bytes) -> bool:
    """Whether `given` is the internal key or one of its fallbacks.

    Takes the same time whatever is given: digests of one length are compared, and every key is.
    """
    digest = _digest(given)
    matches = [hmac.compare_digest(digest, ours) for ours in _digests(conf.intake.keys)]
    return any(matches)


@lru_cache(1)
def _digests(keys: tuple[str, ...]) -> list[bytes]:
    return [_digest(key.encode()) for key in keys]


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


class InternalKeyAuthentication(BaseAuthentication):
    """The `X-Internal-Key` header. Without it, the next authentication is asked."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, KeyHolder] | None:
        given = request.META.get("HTTP_X_INTERNAL_KEY", "")
        if not given:
            return None
        # Servers decode headers as latin-1, so this is what was sent.
        if not is_key(given.encode("latin-1", "replace")):
            raise WrongKeyError
        return AnonymousUser(), KeyHolder()

    def authenticate_header(self, request: Request) -> str:
        return HEADER


class StaffReadsAuthentication(SessionAuthentication):
    """A session, for requests that change nothing. Others need the key: no cookie can stand in for it."""

    def authenticate(self, request: Request):  # type: ignore[no-untyped-def]  # the stubs' type is private
        return super().authenticate(request) if request.method in SAFE_METHODS else None


class IsInternal(BasePermission):
    """A key holder, or staff who read."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.auth, KeyHolder):
            return True
        return request.method in SAFE_METHODS and bool(request.user and request.user.is_staff)
