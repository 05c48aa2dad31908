"""Who this process is."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path


@cache
def host_name() -> str:
    """This host, its boot and its pid namespace, where the system tells: a name alone may be that of two machines."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        return f"{socket.gethostname()}#{boot}-{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return socket.gethostname()


def worker_name() -> str:
    """This process as its worker's row is named."""
    return f"{host_name()}:{os.getpid()}"
