"""`manage.py simulate`: a synthetic network's events, to the log or to a file."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from events.replay.lines import BATCH_EVENTS, batches
from events.replay.patience import ReplayError
from events.replay.rate import Rate
from events.replay.tally import Tally
from events.replay.to_http import ToHTTP
from events.replay.to_log import ToLog
from rhiz.graph.synthetic import Mix, events
from rhiz.graph.synthetic.lines import ToFile, lines

Target = ToFile | ToHTTP | ToLog
MIX = ("hostile", "duplicates", "mixed_priorities", "rev", "occurred_at")


def share(text: str) -> float:
    """An option between 0 and 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


class Command(BaseCommand):
    help = "Append the events of a synthetic network to the log; the same seed gives the same events."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--events", type=int, default=10_000, metavar="N", help="how many (10000)")
        parser.add_argument("--dids", type=int, default=1_000, metavar="N", help="people in the network (1000)")
        parser.add_argument("--seed", type=int, default=1, metavar="S")
        parser.add_argument("--rate", type=float, metavar="N", help="events a second at the most")
        parser.add_argument("--hostile", type=share, default=0.0, metavar="0-1", help="payloads that must end dead")
        parser.add_argument("--duplicates", type=share, default=0.0, metavar="0-1", help="events that come again")
        parser.add_argument("--mixed-priorities", action="store_true", help="all four, not only NORMAL")
        parser.add_argument("--rev", action="store_true", help="events carry their repository's revision")
        parser.add_argument("--occurred-at", action="store_true", help="events carry the time of their change")
        target = parser.add_mutually_exclusive_group()
        target.add_argument("--output", metavar="FILE", help="write lines of JSON instead; - is standard output")
        target.add_argument("--via-http", metavar="URL", help="post them to the server there, not to the database")
        parser.add_argument("--key", help="the internal key for --via-http (INTERNAL_API_KEY)")

    def handle(self, *args: Any, **options: Any) -> None:
        rate, count = options["rate"], options["events"]
        if options["dids"] < 2 or count < 0 or (rate is not None and not 0 < rate < float("inf")):
            raise CommandError("--dids takes a number from 2, --events one from 0, --rate one above 0")
        network = events(options["seed"], count, options["dids"], Mix(**{name: options[name] for name in MIX}))
        tally, pace = Tally(), Rate(rate)
        try:
            with self._target(tally, options) as target, tqdm(total=count, unit=" events", disable=None) as bar:
                for batch in batches(lines(network), pace.batch(BATCH_EVENTS)):
                    pace.wait(len(batch))
                    target.send(batch)
                    bar.update(len(batch))
        except (ReplayError, OSError) as error:
            raise CommandError(str(error)) from error
        if options["output"] is None:
            self.stdout.write(str(tally))
        if tally.rejected:
            raise CommandError("\n".join(tally.reasons))

    @contextmanager
    def _target(self, tally: Tally, options: dict[str, Any]) -> Iterator[Target]:
        if options["output"] == "-":
            yield ToFile(sys.stdout)
        elif options["output"] is not None:
            with Path(options["output"]).open("w", encoding="ascii") as file:
                yield ToFile(file)
        elif options["via_http"] is not None:
            key = options["key"] or settings.INTERNAL_API_KEY
            if not key:
                raise CommandError("--via-http needs a key: --key, or INTERNAL_API_KEY")
            with closing(ToHTTP(options["via_http"], key, tally)) as target:
                yield target
        else:
            yield ToLog(tally)
