"""Every setting of the project, read from the environment here and nowhere else.

docs/configuration.md lists the variables; a test compares it with this file.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from rhiz import __version__
from rhiz.environment import Environment

VERSION = __version__
BASE_DIR = Path(__file__).resolve().parent.parent

# `.env` lies next to manage.py; an empty ENV_FILE reads none (tests, images).
_env_file = os.environ.get("ENV_FILE", ".env")
env = Environment(BASE_DIR / _env_file if _env_file else None)

# --- Who may talk to us -------------------------------------------------------------------------------------

DEBUG = env.flag("DEBUG", False)
SECRET_KEY = env.secret("SECRET_KEY", required=not DEBUG, default="django-insecure-accepted-in-debug-only")
SECRET_KEY_FALLBACKS = env.secrets("SECRET_KEY_FALLBACKS", strong=not DEBUG)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", accepts="host names between commas")
if not DEBUG and not ALLOWED_HOSTS:
    env.mistake("ALLOWED_HOSTS", "host names between commas", "is not set")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", accepts="origins with their scheme between commas")
INTERNAL_API_KEY = env.secret("INTERNAL_API_KEY", required=not DEBUG)
INTERNAL_API_KEY_FALLBACKS = env.secrets("INTERNAL_API_KEY_FALLBACKS", strong=not DEBUG)
INTERNAL_RATE_LIMIT = env.text(
    "INTERNAL_RATE_LIMIT",
    "5000/second",
    "events per key as number/second, /minute, /hour or /day",
    pattern=r"[1-9]\d*/(second|minute|hour|day)",
)
METRICS_ALLOW = env.networks("METRICS_ALLOW", ("127.0.0.1", "::1"))
LOGIN_FAILURES = env.integer("LOGIN_FAILURES", 5, 1, 1_000)
LOGIN_COOLOFF = env.seconds("LOGIN_COOLOFF", 900.0, 1.0, 86_400.0)
PORT = env.integer("PORT", 8000, 1, 65_535)
DRAIN_DELAY = env.seconds("DRAIN_DELAY", 3.0, 0.0, 60.0)

# --- The event log; `events.conf` has the same defaults -------------------------------------------------------

DATABASE_PGBOUNCER = env.flag("DATABASE_PGBOUNCER", False)
EVENT_LANES = env.integer("EVENT_LANES", 64, 1, 32_767)
EVENT_WORKERS = env.integer("EVENT_WORKERS", 4, 1, 256)
EVENT_BATCH_SIZE = env.integer("EVENT_BATCH_SIZE", 500, 1, 10_000)
EVENT_QUEUE_CAPACITY = env.integer("EVENT_QUEUE_CAPACITY", 100_000, 1, 1_000_000_000)
EVENT_MAX_RETRIES = env.integer("EVENT_MAX_RETRIES", 3, 0, 20)
EVENT_BATCH_TIMEOUT = env.seconds("EVENT_BATCH_TIMEOUT", 30.0, 1.0, 3_600.0)
EVENT_RETENTION_DAYS = env.integer("EVENT_RETENTION_DAYS", 30, 1, 36_500)
EVENT_FAST_DOOR = env.flag("EVENT_FAST_DOOR", True)
# LISTEN needs a session of its own, which PgBouncer in transaction mode does not give.
EVENT_LISTEN = env.flag("EVENT_LISTEN", True) and not DATABASE_PGBOUNCER
INTERNAL_BODY_LIMIT = env.integer("INTERNAL_BODY_LIMIT", 5_242_880, 65_536, 104_857_600)  # bytes
INTERNAL_IN_FLIGHT_LIMIT = env.integer("INTERNAL_IN_FLIGHT_LIMIT", 512, 1, 65_536)  # requests

# --- Database -------------------------------------------------------------------------------------------------


def _postgresql(database: dict[str, Any]) -> None:
    # Each worker thread holds a connection; the rest serve the heartbeat, housekeeping, LISTEN and web threads.
    # After a restart of the server the pool finds its connections broken one by one; it waits 1 s, then 2, between two.
    pool = {"min_size": 1, "max_size": EVENT_WORKERS + 10, "timeout": 5}  # seconds
    # A host that vanished is noticed after about idle + interval * count seconds.
    keepalives = {"keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    keepalives["tcp_user_timeout"] = 25_000  # milliseconds: the same where data is on its way, which keepalives miss
    # The log's and the graph's statements are prepared at their fifth use; Django's bind in the client and never are.
    prepare = {"prepare_threshold": None if DATABASE_PGBOUNCER else 5}
    database["OPTIONS"] = {"pool": pool, "connect_timeout": 5, **keepalives, **prepare, **database.get("OPTIONS", {})}
    database["DISABLE_SERVER_SIDE_CURSORS"] = DATABASE_PGBOUNCER


def _sqlite(database: dict[str, Any]) -> None:
    if database["NAME"] != ":memory:":
        # Web and worker may start in different directories and must still mean one file.
        database["NAME"] = str(BASE_DIR / database["NAME"])
    database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,  # seconds that a writer waits for another
        # The graph's keys are random, so a batch changes about as many pages as it has rows: SQLite's own cache of 2 MB
        # spills them, and a checkpoint at every 4 MB of WAL writes the same pages again and again.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-32000;"
        " PRAGMA wal_autocheckpoint=10000",
        **database.get("OPTIONS", {}),
    }


_database = env.database("DATABASE_URL", "sqlite:///db.sqlite3", conn_max_age=0, conn_health_checks=True)
(_sqlite if _database["ENGINE"].endswith("sqlite3") else _postgresql)(_database)
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Cache ----------------------------------------------------------------------------------------------------

REDIS_URL = env.text(
    "REDIS_URL", "", "redis://host:port/number, rediss:// or unix://", r"(redis|rediss|unix)://.+", private=True
)
CACHE_BACKEND = env.choice(
    "CACHE_BACKEND", "redis" if REDIS_URL else "memory", "redis", "memory", written="redis with REDIS_URL, else memory"
)
if CACHE_BACKEND == "redis" and not REDIS_URL:
    env.mistake("CACHE_BACKEND", "redis only together with REDIS_URL", "is redis without REDIS_URL")
CACHE_DEFAULT_TTL = env.integer("CACHE_DEFAULT_TTL", 3_600, 1, 31_536_000)  # seconds
CACHE_MAX_MEMORY_SIZE = env.integer("CACHE_MAX_MEMORY_SIZE", 10_000, 1, 100_000_000)  # keys
CACHE_FALLBACK_STALENESS = env.seconds("CACHE_FALLBACK_STALENESS", 1.0, 0.0, 60.0)
CACHE_TIMEOUT = env.seconds("CACHE_TIMEOUT", 0.1, 0.001, 60.0)
CACHES = {
    "default": {
        "BACKEND": "cachecore.backend.CacheBackend",
        "LOCATION": REDIS_URL if CACHE_BACKEND == "redis" else "",
        "TIMEOUT": CACHE_DEFAULT_TTL,
        "KEY_PREFIX": "rhiz",
    }
}

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_FORMAT = env.choice("LOG_FORMAT", "line", "line", "json")

env.finish()

# --- Django ---------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",  # Swagger UI's files
    "axes",
    "cachecore",
    "health",
    "events",
    "rhiz.graph",
]
MIDDLEWARE = [
    "events.intake.request_id.named_requests",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "health.middleware.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "rhiz.urls"
ASGI_APPLICATION = "rhiz.asgi.application"
WSGI_APPLICATION = "rhiz.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "rhiz" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
# In the database alone: whoever mends the pipeline stays logged in while Redis is down, hangs or forgets.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
DATA_UPLOAD_MAX_MEMORY_SIZE = INTERNAL_BODY_LIMIT
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# In development files are found where they lie; elsewhere they were collected before the start.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
# Closed and JSON unless a view says otherwise.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "rhiz",
    "VERSION": VERSION,
    "DESCRIPTION": "Events in, the graph out; see docs/api.md. Spoken inside the platform.",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "",
    "SERVE_PUBLIC": True,
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["rhiz.openapi.without_aliases"],
    "POSTPROCESSING_HOOKS": ["rhiz.openapi.complete"],
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "InternalKey": {"type": "apiKey", "in": "header", "name": "X-Internal-Key"},
            "StaffSession": {
                "type": "apiKey",
                "in": "cookie",
                "name": "sessionid",
                "description": "of staff who logged in at /admin/; for reading",
            },
        }
    },
}

# --- Logging in -----------------------------------------------------------------------------------------------

AUTHENTICATION_BACKENDS = ["axes.backends.AxesBackend", "django.contrib.auth.backends.ModelBackend"]
# Counted in the database: a throttle in a cache that is away stops nobody, or everybody.
AXES_HANDLER = "axes.handlers.database.AxesDatabaseHandler"
AXES_FAILURE_LIMIT = LOGIN_FAILURES
AXES_COOLOFF_TIME = timedelta(seconds=LOGIN_COOLOFF)
# A name from an address: a stranger who guesses does not lock the operator out, unless a proxy hides addresses.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
# Only the connection's own address. uvicorn puts a client's there for the proxies in FORWARDED_ALLOW_IPS.
AXES_CLIENT_IP_CALLABLE = "rhiz.clients.address"
AXES_USERNAME_CALLABLE = "rhiz.clients.name"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
AXES_HTTP_RESPONSE_CODE = 429

# --- What a browser may do with our pages ---------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        **{f"{kind}-src": [SELF] for kind in ("script", "style", "img", "font", "connect")},
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
PERMISSIONS_POLICY: dict[str, list[str]] = {
    feature: [] for feature in ("camera", "geolocation", "microphone", "payment", "usb", "fullscreen")
}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"

# --- Transport ------------------------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = not DEBUG
# Probes, scrapes and the indexer speak plain HTTP inside the platform.
SECURE_REDIRECT_EXEMPT = [r"^health(/|$)", r"^(livez|readyz|metrics)/?$", r"^internal/"]
# TLS ends at the platform's proxy. Who forges this header loses a redirect and nothing else.
SECURE_PROXY_SSL_HEADER = None if DEBUG else ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 0 if DEBUG else 31_536_000  # a year
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
# Whether every other host of the domain speaks HTTPS (HSTS for subdomains, preloading) is not ours to promise.
# Weak keys (W009, W025) do not get this far: they are refused above, by a rule of our own.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W009", "security.W021", "security.W025"]

# --- Logs -----------------------------------------------------------------------------------------------------

LOGGING_CONFIG = "rhiz.logs.configure"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"chosen": {"()": "rhiz.logs.formatter", "form": LOG_FORMAT}},
    "filters": {"no_refusals": {"()": "rhiz.logs.NoRefusals"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "chosen"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    # Django's own handlers would print the same record a second time.
    "loggers": {
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        "django.request": {"filters": ["no_refusals"]},
        # Scanners that guess host names are answered 400 and not worth a traceback each.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # uvicorn has configured its own before it imports us; its `--log-level` stays, for those that are named here.
        "uvicorn": {"handlers": [], "propagate": True},
        "uvicorn.error": {"handlers": [], "propagate": True},
        "uvicorn.access": {"handlers": [], "propagate": True},
        # The health check tells of an outage in one line; the pool would in one for each try of each connection.
        "psycopg.pool": {"level": "CRITICAL" if LOG_LEVEL == "CRITICAL" else "ERROR"},
    },
}
