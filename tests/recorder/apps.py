import os

from django.apps import AppConfig


class RecorderConfig(AppConfig):
    name = "tests.recorder"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tests.recorder import crash_points

        if place := os.environ.get("CRASH_AT"):
            crash_points.install(place)
