#!/usr/bin/env python
"""Django's command line, with mistakes in the environment told in a few lines instead of a traceback."""

from __future__ import annotations

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rhiz.settings")
    from django.conf import settings

    try:
        _ = settings.DEBUG  # reads them all
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
