"""`manage.py prune_events`: delete events that ended long ago, now rather than when a worker gets to it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from events.worker.pruner import prune


class Command(BaseCommand):
    help = "Delete done and discarded events older than EVENT_RETENTION_DAYS. Dead ones stay until they are dealt with."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=float, help="instead of EVENT_RETENTION_DAYS")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["days"] is not None and options["days"] < 0:
            raise CommandError("--days takes a number from 0 up")
        pruned = 0
        with tqdm(unit=" events", desc="pruned", disable=None) as progress:
            for count in prune(days=options["days"]):
                pruned += count
                progress.update(count)
        self.stdout.write(f"{pruned} events pruned")
