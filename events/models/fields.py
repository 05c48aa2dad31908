"""Columns of an event that follow from its other columns, so that every way to make one fills them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import msgspec
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from events.lanes import did_key
from events.syntax import microseconds, tid_microseconds


class KeyField(models.BigIntegerField):
    """The key of the row's `did`: see `events.lanes.did_key`."""

    def pre_save(self, model_instance: Any, add: bool) -> int:
        model_instance.key = did_key(model_instance.did)
        return int(model_instance.key)


class PayloadField(models.Field):
    """A payload's canonical JSON text, stored as `text`: the database neither parses nor expands it.

    A row read from the database holds the decoded object. A text that Python can't decode (a lone surrogate,
    10,000 nested arrays, 1e400) stays a `str`.
    """

    _pyi_private_set_type: Any  # what mypy is to think of its values
    _pyi_private_get_type: Any

    def get_internal_type(self) -> str:
        return "TextField"

    def from_db_value(self, value: str | None, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        return None if value is None else decoded(value)

    def get_prep_value(self, value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return value
        from events.payload import encode

        return encode(value).decode()

    def value_to_string(self, obj: Any) -> str:
        return str(self.get_prep_value(self.value_from_object(obj)))

    def to_python(self, value: Any) -> Any:
        return decoded(value) if isinstance(value, str) else value


def decoded(text: str) -> Any:
    """The value of a JSON text, or the text itself where Python can't decode it."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return text


class DigestField(models.Field):
    """BLAKE2b-128 of the event's content, in hex: tells a repeated event from another one under the same id.

    Stored as PostgreSQL's `uuid`, which has as many bits and takes half the bytes of the text.
    """

    _pyi_private_set_type: Any  # what mypy is to think of its values
    _pyi_private_get_type: Any

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "uuid" if connection.vendor == "postgresql" else "char(32)"

    def from_db_value(self, value: UUID | str, expression: Any, connection: BaseDatabaseWrapper) -> str:
        return value.hex if isinstance(value, UUID) else value

    def pre_save(self, model_instance: Any, add: bool) -> str:
        if not model_instance.digest:
            from events.envelope import content_digest

            model_instance.digest = content_digest(
                model_instance.event_type,
                model_instance.did,
                payload.encode() if isinstance(payload := model_instance.payload, str) else payload,
                model_instance.rev,
                model_instance.occurred_at,
            )
        return str(model_instance.digest)


class VersionField(models.BigIntegerField):
    """When the record was written, in microseconds since 1970: of `rev`, else `occurred_at`, else `received_at`."""

    def pre_save(self, model_instance: Any, add: bool) -> int:
        if model_instance.version is None:
            if model_instance.rev:
                model_instance.version = tid_microseconds(model_instance.rev)
            else:
                model_instance.version = microseconds(model_instance.occurred_at or model_instance.received_at)
        return int(model_instance.version)


class IdsField(models.Field):
    """A list of event ids: `bigint[]` on PostgreSQL, a JSON array on SQLite."""

    _pyi_private_set_type: Any  # what mypy is to think of its values
    _pyi_private_get_type: Any

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "bigint[]" if connection.vendor == "postgresql" else "text"

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        return json.loads(value) if isinstance(value, str) else value

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        return value if connection.vendor == "postgresql" or value is None else json.dumps(value)
