"""Which Redis answers: the same process with the same history, or one that came up in its place.

A restarted server may have loaded an old dump, a promoted replica may have missed the last commands; a client with
a live pool notices neither. Both are told by `run_id` and `master_replid`, and both are therefore empty caches to us.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

EPOCH_BYTES = 8


class Identity(NamedTuple):
    """What INFO says of a server: the process, its history of writes, `master` or `slave`."""

    run_id: str
    replid: str
    role: str


def read(connection: Any) -> Identity:
    """Ask the server at the end of a redis-py connection, which must have no other command under way.

    Two commands: INFO takes several sections at once only from Redis 7 on.
    """
    answers = []
    for section in ("SERVER", "REPLICATION"):
        connection.send_command("INFO", section)
        answers.append(connection.read_response(disable_decoding=True))
    return parse(b"\r\n".join(answers))


def parse(info: bytes) -> Identity:
    """The identity in the text of INFO. A field that a server leaves out is empty."""
    fields = dict(line.partition(":")[::2] for line in info.decode("utf-8", "replace").splitlines())
    return Identity(fields.get("run_id", ""), fields.get("master_replid", ""), fields.get("role", ""))


def epoch_of(identity: Identity, rotation: str) -> str:
    """The part of every key that changes when what Redis holds can't be relied on: 16 hexadecimal digits."""
    text = f"{identity.run_id}\n{identity.replid}\n{rotation}"
    return hashlib.blake2b(text.encode(), digest_size=EPOCH_BYTES).hexdigest()
