"""The project's settings, and this package as an app: its processor applies events by doing nothing."""

from rhiz.settings import *  # noqa: F403 - all of them are settings
from rhiz.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks"]
