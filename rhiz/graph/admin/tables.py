"""The graph's tables in Django's admin, read only: they are what the log made of them."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from events.admin.links import did_link
from events.admin.read_only import ReadOnly
from events.paging import BoundedPaginator
from rhiz.graph.models import Attestation, Profile, Relationship


class Table(ReadOnly):
    """Rows change by events alone."""

    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False
    ordering = ("key",)


@admin.register(Relationship)
class RelationshipAdmin(Table):
    list_display = ("uri", "between", "with_whom", "kind", "strength", "created_at")

    @admin.display(description="participant a")
    def between(self, row: Relationship) -> SafeString:
        return did_link(row.participant_a)

    @admin.display(description="participant b")
    def with_whom(self, row: Relationship) -> SafeString:
        return did_link(row.participant_b)


@admin.register(Attestation)
class AttestationAdmin(Table):
    list_display = ("uri", "by", "target_uri", "attestation_type", "confidence", "created_at")

    @admin.display(description="by")
    def by(self, row: Attestation) -> SafeString:
        return did_link(row.did)


@admin.register(Profile)
class ProfileAdmin(Table):
    list_display = ("display_name", "whose", "entity_type", "created_at")

    @admin.display(description="DID")
    def whose(self, row: Profile) -> SafeString:
        return did_link(row.did)
