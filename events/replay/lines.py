"""Reading events from a file or from standard input, line by line, in constant memory."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

GZIP_MAGIC = b"\x1f\x8b"
READ_AHEAD = 256 * 1024  # bytes
LINE_LIMIT = 5 * 1024 * 1024  # bytes of one line that are kept; an event has at most 64 KB of payload
BATCH_EVENTS = 1_000
BATCH_BYTES = 4 * 1024 * 1024  # stays below the intake's limit of a body


class Line(NamedTuple):
    """A line that is not blank, without its end."""

    number: int  # from 1, blank lines counted
    body: bytes


class Source:
    """A file of lines, compressed by gzip or not (its first bytes tell); "-" is standard input."""

    def __init__(self, name: str) -> None:
        """Raises OSError if the file can't be opened."""
        if name == "-":
            self.size: int | None = None
            self._file: IO[bytes] = sys.stdin.buffer
        else:
            path = Path(name)
            self._file = path.open("rb")
            # A pipe has no size that could be told in advance.
            self.size = path.stat().st_size if path.is_file() else None
        head = self._file.read(len(GZIP_MAGIC))
        self._counted = _Counted(head, self._file)
        whole = io.BufferedReader(self._counted, READ_AHEAD)
        self._stream: io.BufferedIOBase = gzip.GzipFile(fileobj=whole) if head == GZIP_MAGIC else whole

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not sys.stdin.buffer:
            self._file.close()

    @property
    def position(self) -> int:
        """Bytes of the file read so far, compressed as they are."""
        return self._counted.count

    def lines(self) -> Iterator[Line]:
        """Each line that is not blank. One longer than LINE_LIMIT is cut there, and so is no event.

        Raises OSError, EOFError or zlib.error where the file can't be read or is damaged.
        """
        number = 0
        while body := self._stream.readline(LINE_LIMIT):
            number += 1
            end = body
            while len(end) == LINE_LIMIT and not end.endswith(b"\n"):
                end = self._stream.readline(LINE_LIMIT)
            if not body.isspace():
                yield Line(number, body.rstrip(b"\r\n"))


class _Counted(io.RawIOBase):
    """What is left of a file after its head was read, with the head in front, and the bytes that were read counted."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self.count = 0
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the stubs' Buffer has no length
        if self._head:
            count = min(len(buffer), len(self._head))
            data, self._head = self._head[:count], self._head[count:]
        else:
            # read1 where there is one: a pipe gives what it has instead of waiting for a whole buffer.
            read = getattr(self._rest, "read1", self._rest.read)
            data = read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)


def batches(lines: Iterator[Line], events: int = BATCH_EVENTS) -> Iterator[list[Line]]:
    """Lines in their order, up to `events` together and not much more than BATCH_BYTES."""
    batch: list[Line] = []
    size = 0
    for line in lines:
        if batch and (len(batch) >= events or size + len(line.body) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line.body) + 1
    if batch:
        yield batch
