"""A TCP proxy between a test's processes and a server, that can let the network fail in the ways networks do."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from enum import StrEnum
from pathlib import Path


class Mode(StrEnum):
    """What happens to those who connect, and to those who are connected."""

    PASS = "pass"
    REFUSE = "refuse"  # connections are cut, new ones refused
    HANG = "hang"  # connections are accepted and kept, and nothing passes: what was sent meanwhile is lost


class Proxy:
    """Forwards from a port of its own to `target`, a port of this host or the path of a Unix socket."""

    def __init__(self, target: int | Path) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._mode = Mode.PASS
        self._pairs: set[tuple[socket.socket, socket.socket | None]] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.redis_url = f"redis://127.0.0.1:{self.port}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.set(Mode.REFUSE)

    @property
    def mode(self) -> Mode:
        """What is in force."""
        return self._mode

    def set(self, mode: Mode) -> None:
        """Change the mode; it holds for every byte that is sent after this returns.

        Leaving HANG cuts what was connected meanwhile: a hung connection has lost bytes.
        """
        with self._lock:
            if mode is self._mode:
                return
            before, self._mode = self._mode, mode
            if mode is Mode.REFUSE:
                _shut(self._listener)
            if mode is not Mode.HANG:
                self._cut()
            if before is Mode.REFUSE:
                self._listener = socket.create_server(("127.0.0.1", self.port))
                threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Close what is connected; new connections pass or fail as the mode says."""
        with self._lock:
            self._cut()

    def _cut(self) -> None:
        for pair in self._pairs:
            for each in pair:
                if each is not None:
                    _shut(each)
        self._pairs.clear()

    def _accept(self) -> None:
        listener = self._listener
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                server = None
                if self._mode is Mode.PASS:
                    with suppress(OSError):
                        server = self._connect()
                    if server is None:
                        _shut(client)
                        continue
                self._pairs.add((client, server))
            if server is not None:
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _connect(self) -> socket.socket:
        if isinstance(self._target, int):
            server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        else:
            server = socket.socket(socket.AF_UNIX)
            server.settimeout(5)
            server.connect(str(self._target))
        server.settimeout(None)
        return server

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                with self._lock:
                    if self._mode is Mode.PASS:
                        sink.sendall(data)
        _shut(source)
        _shut(sink)


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        each.close()
