"""Who is related to whom, and how sure the network is of it: read through the cache.

Two kinds of value are kept. A page of a DID's relationships hangs on that DID; the conviction of a relationship
hangs on its URI. A page is told with the convictions of its relationships put in, so an attestation makes one small
value wrong, and no page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cachecore import cache
from rhiz.graph import conviction, keys
from rhiz.graph.conviction import Opinion
from rhiz.graph.models import Attestation, Relationship
from rhiz.graph.record_key import key_of
from rhiz.graph.snapshot import by_bytes

LOWEST = "0" * 32  # no record has this key

# One statement, so that it sees one state of the table; two halves, each in the order of an index of its own, because
# OR would have the database sort all relationships of a hub. A record that names a DID twice is there once.
_HALF = """
    SELECT * FROM (SELECT * FROM graph_relationship
                   WHERE NOT deleted AND {participant} = %(did)s AND key > %(after)s
                   ORDER BY key LIMIT %(limit)s) AS {participant}"""
_PAGE = f"""
    {_HALF.format(participant="participant_a")} UNION {_HALF.format(participant="participant_b")}
    ORDER BY key LIMIT %(limit)s"""


class Page(NamedTuple):
    """Some relationships of a DID in the order of their keys; `after` leads to the next page, None if there is none."""

    neighbours: list[dict[str, Any]]
    after: str | None


def page(did: str, *, after: str, limit: int, as_of: datetime | None) -> Page:
    """At most `limit` relationships of `did` behind the one with the key `after`, with their convictions."""
    kept = keys.neighbours(did, after, limit)
    found: Page = cache.get_or_set(kept.key, lambda: _read(did, after, limit), kept.ttl, tags=kept.tags)
    known = convictions([each["uri"] for each in found.neighbours], as_of)
    return found._replace(neighbours=[{**each, "conviction": known[each["uri"]]} for each in found.neighbours])


def convictions(uris: Iterable[str], as_of: datetime | None) -> dict[str, dict[str, Any]]:
    """What is told of each relationship's conviction, by URI.

    With `as_of`, at that point in time; without, at the one when it was computed, which each answer tells. A URI of
    which nothing is attested has the score 0, whether or not there is such a relationship: its record may be late.
    """
    kept = {uri: keys.conviction(uri, as_of) for uri in uris}
    by_key = {each.key: uri for uri, each in kept.items()}

    def load(missing: list[str]) -> dict[str, dict[str, Any]]:
        computed = _compute([by_key[key] for key in missing], as_of or datetime.now(UTC))
        return {key: computed[by_key[key]] for key in missing}

    found = cache.get_or_set_many({each.key: each.tags for each in kept.values()}, load, keys.TRUST_TTL)
    return {uri: found[each.key] for uri, each in kept.items()}


def conviction_of(uri: str, as_of: datetime | None) -> dict[str, Any]:
    """The same of one relationship; however many ask for it at once, it is computed once."""
    kept = keys.conviction(uri, as_of)

    def load() -> dict[str, Any]:
        return _compute([uri], as_of or datetime.now(UTC))[uri]

    found: dict[str, Any] = cache.get_or_set(kept.key, load, kept.ttl, tags=kept.tags)
    return found


def relationships_of(did: str, after: str, limit: int) -> tuple[list[Relationship], str | None]:
    """At most `limit` relationships of `did` behind the one with the key `after`, and the key to go on from."""
    rows = list(Relationship.objects.raw(_PAGE, {"did": did, "after": after or LOWEST, "limit": limit + 1}))
    return rows[:limit], rows[limit - 1].key.hex if len(rows) > limit else None


def _read(did: str, after: str, limit: int) -> Page:
    rows, further = relationships_of(did, after, limit)
    return Page([_told(did, row) for row in rows], further)


def _told(did: str, row: Relationship) -> dict[str, Any]:
    return {
        "did": row.participant_b if row.participant_a == did else row.participant_a,
        "uri": row.uri,
        "type": row.kind,
        "strength": row.strength,
        "context": row.context,
        "created_at": row.created_at,
    }


def _compute(uris: list[str], moment: datetime) -> dict[str, dict[str, Any]]:
    by_target: dict[Any, list[Opinion]] = {key_of(uri): [] for uri in uris}
    made = Attestation.objects.filter(
        target_key__in=list(by_target), attestation_type__in=conviction.WEIGHTS, created_at__lte=moment
    )
    words: Any = made.order_by(by_bytes("uri")).values_list(
        "target_key", "attestation_type", "confidence", "created_at"
    )
    for target, *opinion in words:
        by_target[target].append(Opinion(*opinion))
    return {uri: _conviction(by_target[key_of(uri)], moment) for uri in uris}


def _conviction(opinions: list[Opinion], moment: datetime) -> dict[str, Any]:
    counts = Counter(opinion.attestation_type for opinion in opinions)
    return {
        "score": conviction.score(opinions, moment),
        "trend": conviction.trend(opinions, moment),
        "attestations": {kind: counts[kind] for kind in conviction.WEIGHTS},
        "as_of": moment,
    }
