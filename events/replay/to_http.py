"""Through the intake's HTTP door: one request in flight, so that events arrive in the file's order.

An event that the server refuses for its capacity is sent again after the time that the server names. Those of its
batch that were accepted are not; CRITICAL events, which the server takes when it takes no others, may so overtake
earlier ones of their DID.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import msgspec

from events.replay.identity import identified
from events.replay.lines import Line
from events.replay.patience import Patience, ReplayError
from events.replay.tally import Tally

PATH = "/internal/events"
TIMEOUT = httpx.Timeout(60.0, connect=5.0)  # seconds
DEFAULT_RETRY = 1.0  # seconds, where the server says that it is full but not for how long
LATER = (429, 503)  # too fast; full, or its database is away
GATEWAY = (502, 504)  # said by what stands before the server: nobody answered


class ToHTTP:
    """Posts batches of lines to an intake, and again what it refuses for now."""

    def __init__(
        self,
        url: str,
        key: str,
        tally: Tally,
        *,
        transport: httpx.BaseTransport | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`url` is the server's root or the whole endpoint. Raises ReplayError if it is no HTTP URL."""
        self._endpoint = endpoint(url)
        self._tally = tally
        self._patience = patience or Patience()
        self._sleep = sleep
        headers = {"X-Internal-Key": key, "Content-Type": "application/x-ndjson"}
        self._client = httpx.Client(headers=headers, timeout=TIMEOUT, transport=transport)

    def close(self) -> None:
        self._client.close()

    def send(self, batch: Sequence[Line]) -> None:
        """Post a batch until each of its events is enqueued, a duplicate or rejected.

        Raises ReplayError when the server does not answer, or refuses whoever asks (wrong key, wrong URL).
        """
        parts = deque([[line._replace(body=identified(line.body)) for line in batch]])
        throttled = False
        while parts:
            part = parts.popleft()
            response = self._post(part)
            status = response.status_code
            if status in (200, 202, 207):
                again = self._count(part, response)
                if again:
                    parts.appendleft(again)
                    self._sleep(_retry_after(response))
            elif status in LATER:
                # A batch may be more than the rate limit ever lets through at once.
                parts.extendleft(reversed(_halves(part) if throttled and status == 429 else [part]))
                self._sleep(_retry_after(response))
            elif status == 413 and len(part) > 1:
                parts.extendleft(reversed(_halves(part)))
            elif status in (400, 413):
                for line in part:
                    self._tally.reject(line.number, _detail(response))
            else:
                raise ReplayError(f"{self._endpoint} answered {status}: {_detail(response)}")
            throttled = status == 429

    def _post(self, part: Sequence[Line]) -> httpx.Response:
        """The answer, whatever its status; a connection that is lost is tried again."""
        body = b"\n".join(line.body for line in part)
        while True:
            try:
                response = self._client.post(self._endpoint, content=body)
                if response.status_code in GATEWAY:
                    response.raise_for_status()
            except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
                raise ReplayError(f"{self._endpoint}: {error}") from error
            except (httpx.TransportError, httpx.HTTPStatusError) as error:
                # The server may have committed: every event has an id, and the next try finds duplicates.
                self._patience.wait(error)
            else:
                self._patience.answered()
                return response

    def _count(self, part: Sequence[Line], response: httpx.Response) -> list[Line]:
        """Count what a batch's answer says of each event; the lines that are to be sent again."""
        try:
            results = response.json()["results"]
            again = [part[result["index"]] for result in results if _is_for_later(result)]
            for result in results:
                if result["status"] == "enqueued":
                    self._tally.enqueued += 1
                elif result["status"] == "duplicate":
                    self._tally.duplicates += 1
                elif not _is_for_later(result):
                    self._tally.reject(part[result["index"]].number, _reason(result["error"]))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ReplayError(f"{self._endpoint} does not answer as an intake does: {error!r}") from error
        return again


def endpoint(url: str) -> str:
    """The intake's endpoint at `url`, which may be the server's root. Raises ReplayError if it is no HTTP URL."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ReplayError(f"{url}: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ReplayError(f"{url} is no URL; allowed: http:// or https:// and a host")
    path = parsed.path.rstrip("/")
    return str(parsed.copy_with(path=path if path.endswith(PATH) else path + PATH))


def _halves(part: list[Line]) -> list[list[Line]]:
    half = len(part) // 2
    return [part[:half], part[half:]] if half else [part]


def _is_for_later(result: dict[str, Any]) -> bool:
    error = result.get("error")
    return isinstance(error, dict) and error.get("status") in LATER


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the server asks to wait."""
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        return DEFAULT_RETRY


def _detail(response: httpx.Response) -> str:
    try:
        return _reason(msgspec.json.decode(response.content, type=dict[str, Any]))
    except msgspec.DecodeError:
        return str(response.headers.get("Location") or response.reason_phrase)


def _reason(problem: object) -> str:
    """What a problem (RFC 9457) says."""
    if isinstance(problem, dict):
        return str(problem.get("detail") or problem.get("title") or problem)
    return str(problem)
