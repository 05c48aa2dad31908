"""The ASGI application: the lean doors in front, Django behind."""

from __future__ import annotations

import os
import warnings

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rhiz.settings")
# WhiteNoise reads files synchronously; the admin's few small ones are not worth a second way of serving.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

_django = get_asgi_application()

# Imported once Django is set up: doors use models and settings.
from events.garbage import collect_seldom  # noqa: E402
from events.intake.door import IntakeDoor  # noqa: E402
from health.door import HealthDoor  # noqa: E402

_intake = IntakeDoor(_django)
application = HealthDoor(_intake, at_end=_intake.close)

collect_seldom()
