"""Two groups of the admin's users: *viewer* sees, *operator* also decides."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models.signals import post_migrate

VIEWER, OPERATOR = "viewer", "operator"
# Of Django's and the throttle's own tables nobody sees anything by his role: users, sessions, addresses.
PRIVATE = ("admin", "auth", "contenttypes", "sessions", "axes")
DECISIONS = ("requeue_deadletter", "edit_deadletter", "discard_deadletter", "stop_bulkaction")


def make_after_migrating() -> None:
    """Let the groups be made after `migrate`, once all apps' permissions are there."""
    post_migrate.connect(_make, dispatch_uid="events.roles")


def _make(app_config: AppConfig, using: str, **_: Any) -> None:
    if app_config.name == list(apps.get_app_configs())[-1].name:
        make(using)


def make(using: str = "default") -> list[str]:
    """Make the groups that are missing; their names.

    A group that is there keeps the rights that somebody gave it or took from it: delete it and migrate to have
    it made anew.
    """
    seen = (
        Permission.objects.using(using)
        .filter(codename__startswith="view_")
        .exclude(content_type__app_label__in=PRIVATE)
    )
    decisions = Permission.objects.using(using).filter(content_type__app_label="events", codename__in=DECISIONS)
    made = []
    for name, rights in ((VIEWER, [*seen]), (OPERATOR, [*seen, *decisions])):
        with transaction.atomic(using=using):
            group, new = Group.objects.using(using).get_or_create(name=name)
            if new:
                group.permissions.set(rights)
                made.append(name)
    return made
