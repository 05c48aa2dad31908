"""`manage.py runworker`: apply events until told to stop."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from events.garbage import collect_seldom
from events.worker.runner import run


class Command(BaseCommand):
    help = "Apply the log's events until SIGTERM, or until nothing is pending (--drain)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workers", type=int, help="steps at once at the most (EVENT_WORKERS)")
        parser.add_argument(
            "--drain", action="store_true", help="end when nothing is pending anywhere, retries included"
        )
        parser.add_argument("--health-port", type=int, help="answer health probes over HTTP on this port")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["workers"] is not None and options["workers"] < 1:
            raise CommandError("--workers takes a whole number from 1 up")
        collect_seldom()
        run(slots=options["workers"], drain=options["drain"], health_port=options["health_port"])
