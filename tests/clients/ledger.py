"""What the log says of events that were numbered within their DID."""

from __future__ import annotations

from collections import defaultdict

from events.models import Event


def numbers(prefix: str) -> dict[str, list[int]]:
    """The numbers of each DID that begins with `prefix`, in the order in which the log has them."""
    found: dict[str, list[int]] = defaultdict(list)
    rows = Event.objects.filter(did__startswith=prefix).order_by("id")
    for did, payload in rows.values_list("did", "payload"):
        found[did].append(payload["n"])
    return found


def is_whole(found: dict[str, list[int]], events: int) -> bool:
    """Whether so many events are there, each DID's in their order, none lost and none twice."""
    return sum(map(len, found.values())) == events and all(ns == list(range(len(ns))) for ns in found.values())
