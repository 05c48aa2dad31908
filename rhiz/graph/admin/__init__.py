"""The graph in Django's admin."""

from rhiz.graph.admin import life
from rhiz.graph.admin.tables import AttestationAdmin, ProfileAdmin, RelationshipAdmin

__all__ = ["AttestationAdmin", "ProfileAdmin", "RelationshipAdmin", "life"]
