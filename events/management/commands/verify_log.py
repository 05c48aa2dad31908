"""`manage.py verify_log`: verify that each event of the log is in exactly one place."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from events.log.verify import outside_lanes, verify

SHOWN = 20  # faults


class Command(BaseCommand):
    help = "Verify that each event is pending, dead or done, and only one of these; ends with 1 if not."

    def handle(self, *args: Any, **options: Any) -> None:
        faults = outside_lanes()
        last = 0
        with tqdm(unit=" events", desc="verified", disable=None) as progress:
            for upto, found in verify():
                faults += found
                progress.update(upto - last)
                last = upto
        for fault in faults[:SHOWN]:
            self.stderr.write(f"event {fault.id}: {fault.problem}")
        if faults:
            raise CommandError(f"{len(faults)} faults in the log")
        self.stdout.write(f"no fault in the log up to event {last}")
