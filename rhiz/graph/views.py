"""What can be asked of the graph, under /internal/graph/."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from events import syntax
from events.intake.internal import InternalView
from events.intake.problems import ProblemError, bad_parameter
from rhiz.graph import described, neighbours

PAGE = 50  # relationships, unless `limit` asks for fewer or more
LARGEST_PAGE = 200
_KEY = re.compile(r"[0-9a-f]{32}")


class RelationshipsView(InternalView):
    """Whom a DID knows, with strength and conviction; `next` is the address of the following page, or null.

    `as_of` is the point in time that was asked for, else now. Each conviction tells its own: it may have been computed
    up to a day before. The strength of a relationship is what its record says now.
    """

    @described.relationships
    def get(self, request: Request, did: str) -> Response:
        if not syntax.is_did(did):
            raise refused("did", f"{did[:100]!r} is none", syntax.DID_ALLOWED)
        given = request.query_params
        limit, after, as_of = _limit(given), _after(given), _as_of(given)
        found = neighbours.page(did, after=after, limit=limit, as_of=as_of)
        more = None
        if found.after is not None:
            kept = {"as_of": given["as_of"]} if as_of is not None else {}
            query = urlencode({**kept, "limit": limit, "after": found.after})
            more = f"{reverse('graph:relationships', args=[did])}?{query}"
        moment = as_of or datetime.now(UTC)
        return Response({"did": did, "as_of": moment, "neighbours": found.neighbours, "next": more})


class ConvictionView(InternalView):
    """How sure the network is of one relationship, 0-100; 0 as long as nobody has attested anything.

    Never 404: attestations may arrive before the relationship, and outlive it.
    """

    @described.conviction
    def get(self, request: Request, uri: str) -> Response:
        try:
            syntax.parse_record_uri(uri)
        except ValueError as error:
            raise refused("uri", f"{uri[:100]!r} is none", str(error)) from None
        return Response({"uri": uri, **neighbours.conviction_of(uri, _as_of(request.query_params))})


def refused(name: str, problem: str, allowed: str) -> ProblemError:
    """The answer 400 to a part of the address that can't be used."""
    return ProblemError(bad_parameter(name, problem, allowed))


def _limit(query: Mapping[str, str]) -> int:
    given = query.get("limit", str(PAGE))
    if re.fullmatch(r"[0-9]{1,9}", given) is None or not 1 <= int(given) <= LARGEST_PAGE:
        raise refused("limit", f"{given[:100]!r}", f"a whole number from 1 to {LARGEST_PAGE}")
    return int(given)


def _after(query: Mapping[str, str]) -> str:
    given = query.get("after", "")
    if given and _KEY.fullmatch(given) is None:
        raise refused("after", f"{given[:100]!r}", "what `next` of the page before has")
    return given


def _as_of(query: Mapping[str, str]) -> datetime | None:
    if "as_of" not in query:
        return None
    try:
        return syntax.parse_datetime(query["as_of"])
    except ValueError as error:
        raise refused("as_of", f"{query['as_of'][:100]!r}", str(error)) from None
