"""`manage.py requeue_dead`: make dead events pending again."""

from __future__ import annotations

from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandParser

from events.dead_letters import Filter
from events.log.dead_letters import requeue

logger = structlog.stdlib.get_logger(__name__)


class Command(BaseCommand):
    help = "Make dead events pending again, all or those that match."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--type", help="only events of this type")
        parser.add_argument("--did", help="only events of this DID")
        parser.add_argument("--reason", help="only events whose error contains this")

    def handle(self, *args: Any, **options: Any) -> None:
        dead = Filter(event_type=options["type"], did=options["did"]).chosen()
        if options["reason"]:
            dead = dead.filter(error__contains=options["reason"])
        requeued = requeue(dead.values_list("pk", flat=True))
        chosen = {name: options[name] for name in ("type", "did", "reason") if options[name]}
        logger.info("dead letters requeued", events=requeued, by="requeue_dead", chosen=chosen)
        self.stdout.write(f"{requeued} events requeued")
