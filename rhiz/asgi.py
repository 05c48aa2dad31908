"""The ASGI application: lean doors in front, Django behind."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rhiz.settings")

_django = get_asgi_application()

# Imported once Django is set up: doors use models and settings.
from health.door import HealthDoor  # noqa: E402

application = HealthDoor(_django)
