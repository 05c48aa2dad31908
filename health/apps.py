from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class HealthConfig(AppConfig):
    name = "health"

    def ready(self) -> None:
        # Ours before the others', in the order in which they are told.
        from health import checks  # noqa: F401

        autodiscover_modules("health_checks")
