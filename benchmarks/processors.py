"""A processor without effects: what is left is the cost of the log itself."""

from __future__ import annotations

from events import Entry, processor


@processor("bench.noop")
def apply(entries: list[Entry]) -> None:
    """Do nothing."""
