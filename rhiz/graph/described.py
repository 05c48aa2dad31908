"""How the OpenAPI document describes the views under /internal/graph."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from events import syntax
from events.intake.described import query, read, ref
from rhiz.graph import shapes

SHAPES = (shapes.Relationships, shapes.RelationshipConviction)

AS_OF = query("as_of", {"type": "string", "format": "date-time"}, "the point in time to speak of; now, if missing")

relationships = read(
    "getRelationships",
    OpenApiResponse(ref(shapes.Relationships), "a page"),
    "bad parameter",
    "not found",
    tags=["graph"],
    parameters=[
        OpenApiParameter(
            "did",
            {"type": "string", "maxLength": syntax.DID_LIMIT},
            OpenApiParameter.PATH,
            description="as it is; only `%` must be sent as `%25`",
        ),
        AS_OF,
        query("limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, "relationships on a page"),
        query("after", {"type": "string", "pattern": "^[0-9a-f]{32}$"}, "what `next` of the page before has"),
    ],
)
conviction = read(
    "getConviction",
    OpenApiResponse(ref(shapes.RelationshipConviction), "its conviction"),
    "bad parameter",
    "not found",
    tags=["graph"],
    parameters=[
        OpenApiParameter(
            "uri",
            {"type": "string", "maxLength": syntax.URI_LIMIT},
            OpenApiParameter.PATH,
            description="the record's AT-URI as it is, slashes too; only `%` must be sent as `%25`",
        ),
        AS_OF,
    ],
)
