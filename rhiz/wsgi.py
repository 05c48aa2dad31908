"""The WSGI application, for servers that speak no ASGI: the same views without the lean doors."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rhiz.settings")

application = get_wsgi_application()

# Imported once Django is set up. WSGI has no lifespan: the process begins here.
from health import sampler  # noqa: E402

sampler.start()
