"""What the graph adds to the life of a DID: profile, relationships, and the attestations by it and about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.admin.life import ROWS, Rows, section
from events.admin.links import did_link
from rhiz.graph.models import Attestation, Profile, Record
from rhiz.graph.neighbours import relationships_of
from rhiz.graph.record_key import key_of

ATTESTATIONS = ("Record", "By", "Kind", "Confidence", "About", "Created")
ABOUT = 100  # attestations shown of one page's relationships
SHOWN = 60  # characters of an AT-URI; it may have 8,192


@section("profile", "Profile")
def profile(did: str, after: str) -> Rows:
    """The one profile."""
    found = Profile.objects.filter(key=key_of(did))
    return Rows(("Name", "Kind", "Created"), [(p.display_name, p.entity_type, _day(p)) for p in found])


@section("relationships", "Relationships")
def relationships(did: str, after: str) -> Rows:
    """Those that the DID takes part in, whoever published them, in the order of their keys."""
    rows, further = relationships_of(did, _key(after), ROWS)
    told = [(_record(row), *map(did_link, row.participants), row.kind, row.strength, _day(row)) for row in rows]
    return Rows(("Record", "Between", "And", "Kind", "Strength", "Created"), told, further or "")


@section("attestations-by", "Attestations by this DID")
def attestations_by(did: str, after: str) -> Rows:
    """What the DID attested, in the order of the keys."""
    rows = Attestation.objects.filter(did=did, key__gt=UUID(_key(after))).order_by("key")[: ROWS + 1]
    shown = list(rows)[:ROWS]
    return Rows(ATTESTATIONS, [_attestation(row) for row in shown], shown[-1].key.hex if len(rows) > ROWS else "")


@section("attestations-about", "Attestations about its relationships")
def attestations_about(did: str, after: str) -> Rows:
    """What was attested of the relationships that the DID takes part in; of a page of them."""
    about, further = relationships_of(did, _key(after), ROWS)
    rows = Attestation.objects.filter(target_key__in=[row.key for row in about]).order_by("target_key")
    return Rows(ATTESTATIONS, [_attestation(row) for row in rows[:ABOUT]], further or "")


def _attestation(row: Attestation) -> tuple[Any, ...]:
    about = _shortened(row.target_uri)
    return _record(row), did_link(row.did), row.attestation_type, row.confidence, about, _day(row)


def _record(row: Record) -> SafeString:
    address = reverse(f"admin:graph_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}" title="{}">{}</a>', address, row.uri, _shortened(row.uri))


def _shortened(uri: str) -> str:
    return uri if len(uri) <= SHOWN else f"{uri[: SHOWN // 2]}…{uri[-SHOWN // 2 :]}"


def _day(row: Any) -> str:
    return f"{row.created_at:%Y-%m-%d}" if row.created_at else "-"


def _key(after: str) -> str:
    """The key in an address; the lowest for anything else."""
    try:
        return UUID(after).hex
    except ValueError:
        return "0" * 32
