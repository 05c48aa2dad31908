from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "events"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from events import checks, registry, roles

        roles.make_after_migrating()
        checks.register_all()
        registry.autodiscover()
