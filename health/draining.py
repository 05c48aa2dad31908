"""From SIGTERM to the end: the platform must see 503 and send traffic elsewhere before the door closes."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from types import FrameType

logger = logging.getLogger(__name__)

_begun = threading.Event()


def active() -> bool:
    """Whether this process has begun to stop."""
    return _begun.is_set()


def announce(delay: float) -> None:
    """From now on let SIGTERM make this process drain, and reach the server's own handler `delay` seconds later.

    A second SIGTERM reaches it at once. Called in the event loop's thread; where that is not the main one, or where
    nobody handles the signal, nothing changes.
    """
    _begun.clear()
    server = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or not callable(server):
        return
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        signal.signal(signal.SIGTERM, server)
        server(number, None)

    def drain(number: int, frame: FrameType | None) -> None:
        if _begun.is_set():
            stop(number)
            return
        _begun.set()
        logger.info("draining", extra={"seconds": delay})
        loop.call_soon_threadsafe(loop.call_later, delay, stop, number)

    signal.signal(signal.SIGTERM, drain)


def begin() -> None:
    """The process ends, whoever asked for it."""
    _begun.set()
