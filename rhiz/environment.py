"""Typed reading of environment variables that remembers every mistake, so that all are told at once.

`settings.py` is the only caller. An empty variable counts as one that is not set: compose files and platforms
pass empty strings for what nobody filled in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from dotenv import load_dotenv
from environs import Env, EnvError

T = TypeVar("T")
N = TypeVar("N", int, float)

SECRET_LENGTH = 32  # characters
SECRET_VARIETY = 5  # different characters
SECRET_ACCEPTS = f"at least {SECRET_LENGTH} characters that are neither a known default nor a repeated few"
# Beginnings of keys that stand in somebody's source or documentation.
KNOWN_SECRETS = ("dev-internal-key", "changeme", "change-me", "change_me", "django-insecure", "insecure", "secret")


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: its default as a person would write it, and what it accepts."""

    name: str
    default: str
    accepts: str


class Environment:
    """Reads variables by type. What does not fit is noted and its default used, until `finish` tells all of it."""

    def __init__(self, file: Path | None) -> None:
        """Read `file` too, if it exists; the process's own environment goes before it."""
        self.variables: dict[str, Variable] = {}
        self._mistakes: list[str] = []
        self._env = Env()
        if file is not None and file.is_file():
            load_dotenv(file)

    def flag(self, name: str, default: bool) -> bool:
        return self._read(name, default, self._env.bool, "1 or 0", written=str(int(default)))

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        return self._number(name, default, least, most, self._env.int, "a whole number")

    def seconds(self, name: str, default: float, least: float, most: float) -> float:
        return self._number(name, default, least, most, self._env.float, "seconds")

    def choice(self, name: str, default: str, *allowed: str, written: str | None = None) -> str:
        """One word of `allowed`; `written` describes a default that depends on another variable."""
        valid: Callable[[str], bool] = allowed.__contains__
        return self._read(name, default, self._env.str, " or ".join(allowed), valid=valid, written=written)

    def text(self, name: str, default: str, accepts: str, pattern: str, *, private: bool = False) -> str:
        """A text that fits `pattern` whole; a `private` one may hold a password and is never repeated in errors."""

        def valid(text: str) -> bool:
            return re.fullmatch(pattern, text) is not None

        return self._read(name, default, self._env.str, accepts, valid=valid, private=private)

    def words(self, name: str, default: tuple[str, ...] = (), accepts: str = "words between commas") -> list[str]:
        written = ",".join(default)
        parts = self._read(name, list(default), self._env.list, accepts, written=written)
        return [part.strip() for part in parts if part.strip()]

    def networks(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """Internet addresses or networks, such as `10.0.0.0/8`."""
        accepts = "addresses or networks between commas"
        values = self.words(name, default, accepts)
        for value in values:
            try:
                ip_network(value)
            except ValueError:
                self.mistake(name, accepts, f"holds {value!r}")
        return values

    def database(self, name: str, default: str, **options: Any) -> dict[str, Any]:
        """A database URL as a Django database; only PostgreSQL and SQLite. The URL is never repeated in errors."""
        accepts = "postgresql://user:password@host:port/name or sqlite:///file"

        def parse(name: str, default: str) -> dict[str, Any] | None:
            return dict(self._env.dj_db_url(name, default, **options))

        def known(database: dict[str, Any]) -> bool:
            return database["ENGINE"] in ("django.db.backends.postgresql", "django.db.backends.sqlite3")

        # The default is a URL too, so it is parsed under a name that nobody sets.
        fallback = dict(Env().dj_db_url(f"{name}_DEFAULT", default, **options))
        return self._read(
            name, fallback, lambda name, _: parse(name, default), accepts, valid=known, written=default, private=True
        )

    def secret(self, name: str, *, required: bool, default: str = "") -> str:
        """A key that must be strong where it is `required`. It is never repeated in errors."""
        self._declare(name, "", SECRET_ACCEPTS)
        value = os.environ.get(name, "")
        if required and not is_strong(value):
            self.mistake(name, SECRET_ACCEPTS, "is not set" if not value else "is too weak")
        return value or default

    def secrets(self, name: str, *, strong: bool) -> list[str]:
        """Former keys, between commas, under the same rule as the present one."""
        values = self.words(name, accepts=f"keys between commas, each of {SECRET_ACCEPTS}")
        if strong and not all(is_strong(value) for value in values):
            self.mistake(name, self.variables[name].accepts, "holds a weak key")
        return values

    def mistake(self, name: str, accepts: str, problem: str = "is not understood") -> None:
        self._mistakes.append(f"  {name} {problem}; it accepts {accepts}")

    def finish(self) -> None:
        """Raise ImproperlyConfigured, one line a mistake, if there was any."""
        if self._mistakes:
            raise ImproperlyConfigured("The environment does not fit:\n" + "\n".join(self._mistakes))

    def _number(self, name: str, default: N, least: N, most: N, parse: Callable[[str, N], N | None], kind: str) -> N:
        def valid(value: N) -> bool:
            return least <= value <= most

        return self._read(name, default, parse, f"{kind}, {least} to {most}", valid=valid)

    def _read(
        self,
        name: str,
        default: T,
        parse: Callable[[str, T], T | None],
        accepts: str,
        *,
        valid: Callable[[T], bool] = lambda value: True,
        written: str | None = None,
        private: bool = False,
    ) -> T:
        self._declare(name, str(default) if written is None else written, accepts)
        given = os.environ.get(name)
        if not given:
            return default
        try:
            value = parse(name, default)
        except EnvError:
            value = None
        if value is None or not valid(value):
            self.mistake(name, accepts, "is not understood" if private else f"is {given!r}")
            return default
        return value

    def _declare(self, name: str, default: str, accepts: str) -> None:
        self.variables[name] = Variable(name, default, accepts)


def is_strong(secret: str) -> bool:
    """Long enough, varied enough, and nobody's known default."""
    known = secret.lower().startswith(KNOWN_SECRETS)
    return len(secret) >= SECRET_LENGTH and len(set(secret)) >= SECRET_VARIETY and not known
