from django.apps import AppConfig


class CacheCoreConfig(AppConfig):
    name = "cachecore"
    verbose_name = "Cache"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from cachecore import checks

        checks.register_all()
