"""`manage.py change_lanes N`: give the log another number of lanes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

from events.checks import BOUNDS
from events.models import Lane, Pending


class Command(BaseCommand):
    help = "Change the number of lanes. Refused while anything is pending: stop the senders and drain the log first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("lanes", type=int, metavar="N")

    def handle(self, *args: Any, **options: Any) -> None:
        lanes, (low, high) = options["lanes"], BOUNDS["lanes"]
        if not low <= lanes <= high:
            raise CommandError(f"the number of lanes is from {low:g} to {high:g}")
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    # An append reads the number until its commit: it has committed, or waits.
                    cursor.execute("lock table events_lane in access exclusive mode")
            if Pending.objects.exists():
                raise CommandError("events are pending: stop the senders and let the workers drain the log first")
            Lane.objects.all().delete()
            Lane.objects.bulk_create(Lane(id=n) for n in range(lanes))
        self.stdout.write(f"the log has {lanes} lanes; set EVENT_LANES to {lanes} as well")
