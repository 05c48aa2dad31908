"""Print how many records the graph holds and one hash of them all, alone on the last line."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand

from events import syntax
from rhiz.graph.digest import digest


def moment(text: str) -> datetime:
    """An option's datetime."""
    try:
        return syntax.parse_datetime(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


class Command(BaseCommand):
    help = "Count the graph's records and print the SHA-256 of all that they say, alone on the last line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--as-of",
            type=moment,
            metavar="TIME",
            help="RFC 3339 time for which convictions are computed (default: the newest record's created_at)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = digest(options["as_of"])
        self.stdout.write(f"as of          {found.as_of.isoformat().replace('+00:00', 'Z')}")
        for name in ("relationships", "attestations", "profiles", "tombstones"):
            self.stdout.write(f"{name:<14} {getattr(found, name):,}")
        self.stdout.write(found.sha256)
