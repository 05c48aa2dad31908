"""`manage.py replay`: send a file of events to the log."""

from __future__ import annotations

import zlib
from contextlib import closing, nullcontext
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from events.replay.lines import BATCH_EVENTS, Source, batches
from events.replay.patience import ReplayError
from events.replay.rate import Rate
from events.replay.tally import Tally
from events.replay.to_http import ToHTTP
from events.replay.to_log import ToLog


class Command(BaseCommand):
    help = "Send events, one JSON object a line, to the log; ends with 1 if any was rejected."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="lines of JSON, compressed by gzip or not; - is standard input")
        parser.add_argument("--via-http", metavar="URL", help="post them to the server there, not to the database")
        parser.add_argument("--key", help="the internal key for --via-http (INTERNAL_API_KEY)")
        parser.add_argument("--rate", type=float, metavar="N", help="events a second at the most")

    def handle(self, *args: Any, **options: Any) -> None:
        rate = options["rate"]
        if rate is not None and not 0 < rate < float("inf"):
            raise CommandError("--rate takes a number above 0")
        tally = Tally()
        trouble = ""
        try:
            with Source(options["file"]) as source:
                self._replay(source, tally, Rate(rate), options)
        except ReplayError as error:
            trouble = f"stopped: {error}"
        except (OSError, EOFError, zlib.error) as error:
            trouble = f"{options['file']} can't be read: {error}"
        self.stdout.write(str(tally))
        if tally.reasons:
            self.stderr.write("\n".join(tally.reasons))
        if trouble:
            raise CommandError(trouble)
        if tally.rejected:
            raise CommandError(f"{tally.rejected} events rejected")

    def _replay(self, source: Source, tally: Tally, rate: Rate, options: dict[str, Any]) -> None:
        with self._target(tally, options) as target, self._bar(source) as bar:
            for batch in batches(source.lines(), rate.batch(BATCH_EVENTS)):
                rate.wait(len(batch))
                target.send(batch)
                bar.set_postfix_str(str(tally), refresh=False)
                bar.update(source.position - bar.n if source.size else len(batch))

    def _target(self, tally: Tally, options: dict[str, Any]) -> Any:
        url = options["via_http"]
        if url is None:
            return nullcontext(ToLog(tally))
        key = options["key"] or settings.INTERNAL_API_KEY
        if not key:
            raise CommandError("--via-http needs a key: --key, or INTERNAL_API_KEY")
        return closing(ToHTTP(url, key, tally))

    def _bar(self, source: Source) -> tqdm:
        """Of bytes where the size is known, else of events; shown on a terminal only."""
        if source.size:
            return tqdm(total=source.size, unit="B", unit_scale=True, desc="replayed", disable=None)
        return tqdm(unit=" events", desc="replayed", disable=None)
