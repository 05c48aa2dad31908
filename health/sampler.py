"""The watches of this process: begun with it, read by every tier, so that no endpoint ever waits for a dependency."""

from __future__ import annotations

import os

from health.answers import Answer
from health.registry import checks
from health.watch import Watch

_watches: dict[str, Watch] = {}


def start() -> None:
    """Begin to ask; further calls change nothing until `stop`."""
    if _watches:
        return
    _watches.update({name: Watch(check) for name, check in checks.items()})
    for watch in _watches.values():
        watch.start()


def stop() -> None:
    """End asking, and know nothing any more."""
    for watch in _watches.values():
        watch.stop()
    _watches.clear()


def read() -> dict[str, Answer]:
    """Each dependency's answer, from memory; `starting` where nothing was asked yet."""
    return {name: (_watches.get(name) or Watch(check)).read() for name, check in checks.items()}


def _after_fork() -> None:
    # Threads stay behind in the parent.
    if _watches:
        _watches.clear()
        start()


os.register_at_fork(after_in_child=_after_fork)
