"""Columns of an event that follow from its other columns, so that every way to make one fills them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models

from events.lanes import lane_of
from events.syntax import microseconds, tid_microseconds


class LaneField(models.SmallIntegerField):
    """The lane of the row's `did`."""

    def pre_save(self, model_instance: Any, add: bool) -> int:
        model_instance.lane = lane_of(model_instance.did)
        return int(model_instance.lane)


class DigestField(models.CharField):
    """BLAKE2b-128 of the event's content, in hex: tells a repeated event from another one under the same id."""

    def pre_save(self, model_instance: Any, add: bool) -> str:
        if not model_instance.digest:
            from events.envelope import content_digest

            model_instance.digest = content_digest(
                model_instance.event_type,
                model_instance.did,
                model_instance.payload,
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


class AvailableAtField(models.DateTimeField):
    """From when the event may be applied; the moment of its receipt unless told otherwise."""

    def pre_save(self, model_instance: Any, add: bool) -> datetime:
        if model_instance.available_at is None:
            model_instance.available_at = model_instance.received_at
        moment: datetime = model_instance.available_at
        return moment
