"""The project's settings, and an app whose processors record what they were given."""

from rhiz.settings import *  # noqa: F403 - a settings module is its names
from rhiz.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.recorder"]
