"""One establishment of trust in Redis: an identity, the connections that were checked against it, an epoch."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django_redis.cache import RedisCache
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, ResponseError
from redis.retry import Retry

from cachecore import identity
from cachecore.conf import conf
from cachecore.redis_store import SEPARATOR
from cachecore.tags import stamp_key

UNLINKED = 10_000  # keys that one command removes: a few milliseconds of the server's time

# Closing drops what was not sent yet. A command that timed out must not reach Redis after its key was forgotten.
_ABORT = struct.pack("ii", 1, 0)


class Trusted:
    """Redis as this process came to trust it. Replaced as a whole when that ends, never changed.

    Its connections are its own: django-redis shares pools by URL, and a pool may hold connections to a server that
    is not the one in whose name `epoch` was made. Every new connection is compared with `identity`.
    """

    memory = None

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        self.server = server
        self.identity: identity.Identity | None = None  # the first connection's
        self.rotation = 0  # the journal's, when the replay began
        self.epoch = ""
        self.ended = False
        self._pools: dict[str, Any] = {}
        self.redis = self.client(params).get_client(write=True)

    def client(self, params: dict[str, Any]) -> Any:
        """A django-redis client with an alias's `params`, on the connections of this establishment."""
        client = RedisCache(self.server, self._params(params)).client
        client.connection_factory._pools = self._pools  # type: ignore[attr-defined]  # the process's, otherwise
        return client

    def forget(self, keys: Iterable[str], digests: Iterable[tuple[str, bytes]]) -> None:
        """Remove plain keys, and the stamps of tags given with their space. Raises what redis-py raises."""
        names = [(key + SEPARATOR + self.epoch).encode() for key in keys]
        names += [stamp_key(space, one) for space, one in digests]
        for start in range(0, len(names), UNLINKED):
            self.ask(b"UNLINK", *names[start : start + UNLINKED])

    def close(self) -> None:
        """Drop the connections, and make none again. Commands under way end with an error or their answer."""
        self.ended = True
        for pool in list(self._pools.values()):
            with suppress(Exception):  # a socket that can't even be closed is no loss
                pool.disconnect(inuse_connections=False)

    def verify(self, connection: Any) -> None:
        """redis-py's `redis_connect_func`: greet, then make sure who answers."""
        if self.ended:
            raise ConnectionError("Redis is not trusted any more")
        if isinstance(connection._sock, socket.socket):
            with suppress(OSError):  # a Unix socket does not know the option and does not need it
                connection._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        connection.on_connect()
        found = identity.read(connection)
        if found.role != "master":
            raise ConnectionError(f"it is a {found.role or 'server without a role'}, not a master")
        if self.identity is None:
            self.identity = found
        elif found != self.identity:
            raise ConnectionError("another server answers, or the same one with another history")

    def ask(self, *words: bytes) -> Any:
        """The answer to one command. Raises what redis-py raises.

        On a connection, without redis-py's client: packing argument by argument was half of the time to invalidate
        what a batch touched, and what the client does around a command was a fifth of a hit.
        """
        command = [b"*%d\r\n" % len(words), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)]
        pool = self.redis.connection_pool
        connection = pool.get_connection()
        try:
            connection.send_packed_command([b"".join(command)])
            return connection.read_response()
        except ResponseError:
            raise  # it is an answer, and it was read
        except BaseException:
            connection.disconnect()  # an answer that is still to come is not the next command's
            raise
        finally:
            pool.release(connection)

    def _params(self, params: dict[str, Any]) -> dict[str, Any]:
        given = params.get("OPTIONS", {})
        # redis-py repeats a failed command ten times by default, and Sentinel's discovery too: one timeout it is.
        patience = {"retry": Retry(NoBackoff(), 0), "retry_on_timeout": False}
        timeouts = {
            "socket_timeout": given.get("SOCKET_TIMEOUT", conf.timeout),
            "socket_connect_timeout": given.get("SOCKET_CONNECT_TIMEOUT", conf.timeout),
        }
        options = {
            "SERIALIZER": "cachecore.serializer.SignedPickle",
            **given,
            "SOCKET_TIMEOUT": timeouts["socket_timeout"],
            "SOCKET_CONNECT_TIMEOUT": timeouts["socket_connect_timeout"],
            "SENTINEL_KWARGS": {**timeouts, "retry": patience["retry"], **given.get("SENTINEL_KWARGS", {})},
            "CONNECTION_POOL_KWARGS": {
                **patience,
                **given.get("CONNECTION_POOL_KWARGS", {}),
                "redis_connect_func": self.verify,
            },
        }
        return {**params, "OPTIONS": options}
