"""The ASGI application: the lean health door in front, Django behind."""

from __future__ import annotations

import os
import warnings

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rhiz.settings")
# WhiteNoise reads files synchronously; the admin's few small ones are not worth a second way of serving.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

_django = get_asgi_application()

# Imported once Django is set up: doors use models and settings.
from health.door import HealthDoor  # noqa: E402

application = HealthDoor(_django)
