from django.apps import AppConfig


class CacheCoreConfig(AppConfig):
    name = "cachecore"
    default_auto_field = "django.db.models.BigAutoField"
