"""`manage.py cache`: the cache's figures, and the two ways to make it forget."""

from __future__ import annotations

import json
from typing import Any

from django.core.cache import caches
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cachecore import Cache
from cachecore.backend import CacheBackend


class Command(BaseCommand):
    help = "Show the cache's figures, clear keys by pattern, or invalidate tags."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--alias", default="default", help="which of CACHES (default: default)")
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="stats | clear | invalidate")
        verbs.add_parser("stats", help="print the figures as JSON")
        clear = verbs.add_parser("clear", help="forget the keys that fit a pattern")
        clear.add_argument("pattern", help="Redis's: * ? [ab] [^a], a backslash before what is meant literally")
        invalidate = verbs.add_parser("invalidate", help="let no value under these tags be told any more")
        invalidate.add_argument("tag", nargs="+")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["alias"] not in caches.settings:
            raise CommandError(f"--alias takes one of {', '.join(caches.settings)}, not {options['alias']!r}")
        if not isinstance(caches[options["alias"]], CacheBackend):
            raise CommandError(f"CACHES[{options['alias']!r}] is not on cachecore.backend.CacheBackend")
        cache = Cache(options["alias"])
        if options["verb"] == "stats":
            cache.health_check()  # the first call of a process finds out whether Redis is there
            self.stdout.write(json.dumps(cache.get_stats(), indent=2))
        elif options["verb"] == "clear":
            self.stdout.write(f"{cache.clear_pattern(options['pattern'])} keys forgotten")
        else:
            cache.invalidate(options["tag"])
            self.stdout.write(f"{len(set(options['tag']))} tags invalidated")
