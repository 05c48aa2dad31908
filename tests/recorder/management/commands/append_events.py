"""`manage.py append_events < events.json`: append a list of events, and answer with a list of what became of each."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from events.envelope import NewEvent, from_mapping
from events.log.append import append_new
from events.log.append_async import async_log
from events.log.append_protocol import Appended


class Command(BaseCommand):
    help = "Append the events of a JSON list on stdin, from a thread or (--loop) from an event loop."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--loop", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        events = [from_mapping(event) for event in json.load(sys.stdin)]
        appended = asyncio.run(_on_loop(events)) if options["loop"] else append_new(events)
        self.stdout.write(json.dumps([each.status for each in appended]))


async def _on_loop(events: list[NewEvent]) -> list[Appended]:
    log = async_log()
    try:
        return await log.append(events)
    finally:
        await log.close()
