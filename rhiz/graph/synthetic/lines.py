"""A synthetic network's events as lines of JSON: what `replay` reads and its targets take."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from events.replay.lines import Line


def lines(events: Iterable[dict[str, Any]]) -> Iterator[Line]:
    """Each event as a numbered line. It is ASCII: a hostile payload may hold half a character."""
    for number, event in enumerate(events, start=1):
        yield Line(number, json.dumps(event).encode("ascii"))


class ToFile:
    """Writes batches of lines to an open file, beside the targets of a replay."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def send(self, batch: Sequence[Line]) -> None:
        """Write the lines of `batch`. Raises OSError."""
        self._file.writelines(f"{line.body.decode('ascii')}\n" for line in batch)
