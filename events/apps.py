from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class EventsConfig(AppConfig):
    name = "events"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from events import checks, registry, roles

        post_migrate.connect(make_lanes, sender=self, dispatch_uid="events.lanes")
        roles.make_after_migrating()
        checks.register_all()
        registry.autodiscover()


def make_lanes(**_: Any) -> None:
    """Make the lanes after `migrate` or `flush`, where there are none yet."""
    from events.models import Lane

    Lane.ensure()
