"""The project's settings with the DRF peer's one address."""

from benchmarks.settings import *  # noqa: F403 - all of them are settings

ROOT_URLCONF = "benchmarks.drf_peer"
