"""The graph's tables in Django's admin, read only: they are what the log made of them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from events.admin.links import did_link
from events.paging import BoundedPaginator
from rhiz.graph.models import Attestation, Profile, Relationship


class ReadOnly(admin.ModelAdmin):
    """Rows change by events alone."""

    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False
    ordering = ("key",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Relationship)
class RelationshipAdmin(ReadOnly):
    list_display = ("uri", "between", "with_whom", "kind", "strength", "created_at")

    @admin.display(description="participant a")
    def between(self, row: Relationship) -> SafeString:
        return did_link(row.participant_a)

    @admin.display(description="participant b")
    def with_whom(self, row: Relationship) -> SafeString:
        return did_link(row.participant_b)


@admin.register(Attestation)
class AttestationAdmin(ReadOnly):
    list_display = ("uri", "by", "target_uri", "attestation_type", "confidence", "created_at")

    @admin.display(description="by")
    def by(self, row: Attestation) -> SafeString:
        return did_link(row.did)


@admin.register(Profile)
class ProfileAdmin(ReadOnly):
    list_display = ("display_name", "whose", "entity_type", "created_at")

    @admin.display(description="DID")
    def whose(self, row: Profile) -> SafeString:
        return did_link(row.did)
