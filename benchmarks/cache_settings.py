"""The project's settings with several caches side by side on one Redis: each contestant has a database number there."""

import os

from benchmarks.settings import *  # noqa: F403 - all of them are settings

REDIS = os.environ["REDIS_URL"].rsplit("/", 1)[0]
NOWHERE = "redis://127.0.0.1:1/0"  # nobody listens there

CACHES = {
    "default": {"BACKEND": "cachecore.backend.CacheBackend", "LOCATION": f"{REDIS}/1", "KEY_PREFIX": "bench"},
    "django-redis": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": f"{REDIS}/2", "KEY_PREFIX": "bench"},
    "RedisCache": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": f"{REDIS}/3",
        "KEY_PREFIX": "bench",
    },
    "LocMemCache": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "KEY_PREFIX": "bench",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
    "away": {"BACKEND": "cachecore.backend.CacheBackend", "LOCATION": NOWHERE, "KEY_PREFIX": "away"},
    "hung": {"BACKEND": "cachecore.backend.CacheBackend", "LOCATION": os.environ["HUNG_URL"], "KEY_PREFIX": "hung"},
}
CASHEWS_URL = f"{REDIS}/4"  # no cache of Django's
