"""The tables: one row for every record ever seen, deleted ones included.

Only processors write them (see `upsert`). A row is the newest version of its record and nothing else, so that the
tables are the same in whatever order and in whatever batches the events were applied.
"""

from __future__ import annotations

from django.db import models

from rhiz.graph.fields import IdentifierField, KeyField

PRESENT = models.Q(deleted=False)


class PresentManager(models.Manager):
    """Rows whose record exists: without tombstones."""

    def get_queryset(self) -> models.QuerySet:
        return super().get_queryset().filter(PRESENT)


class Record(models.Model):
    """What the rows of all kinds of record have in common.

    A deleted record's row stays for ever as a tombstone: its key, uri, did and version, everything else blank.
    Without it an older event that arrives late would bring the record back.
    """

    key = KeyField(source="uri", primary_key=True)
    uri = models.TextField(help_text="AT-URI; it is looked up by `key`, and has no index of its own.")
    did = IdentifierField(default="", help_text="The owner: the DID whose repository holds the record.")
    cid = IdentifierField(default="", blank=True)
    created_at = models.DateTimeField(null=True, blank=True, help_text="As the record says; empty in a tombstone.")
    version = models.BigIntegerField(default=0, help_text="Microseconds since 1970 of the event that wrote the row.")
    event = models.BigIntegerField(default=0, help_text="That event's id in the log, which forgets it one day.")
    deleted = models.BooleanField(default=False)

    # The first manager is what everyone reads by default: they mean records that exist.
    objects = PresentManager()
    with_tombstones: models.Manager = models.Manager()

    class Meta:
        abstract = True
        # What Django itself uses to save and refresh an instance: a tombstone is a row like any other there.
        base_manager_name = "with_tombstones"

    def __str__(self) -> str:
        return self.uri


class Relationship(Record):
    """Someone's statement that two people know each other."""

    participant_a = IdentifierField(default="", help_text="The DID that the record names first.")
    participant_b = IdentifierField(default="", help_text="The DID that the record names second.")
    kind = models.TextField(default="", help_text="The record's `type`: professional, personal, family, ...")
    strength = models.SmallIntegerField(default=0, help_text="0-100")
    context = models.TextField(default="", blank=True)

    class Meta(Record.Meta):
        indexes = [
            models.Index(fields=["did"], name="graph_relationship_did", condition=PRESENT),
            # With the key, so that a page of a hub's relationships is read in order and no further.
            models.Index(fields=["participant_a", "key"], name="graph_relationship_a_key", condition=PRESENT),
            models.Index(fields=["participant_b", "key"], name="graph_relationship_b_key", condition=PRESENT),
        ]

    @property
    def participants(self) -> tuple[str, str]:
        """Both DIDs, in the record's order."""
        return self.participant_a, self.participant_b


class Attestation(Record):
    """Someone's word on a relationship, which may arrive before it. `did` is the attester."""

    target_uri = models.TextField(default="", help_text="The relationship's AT-URI.")
    target_key = KeyField(source="target_uri", null=True, help_text="The relationship's key; null in a tombstone.")
    attestation_type = models.TextField(default="", help_text="verify, strengthen, weaken or dispute")
    confidence = models.SmallIntegerField(default=0, help_text="0-100")
    evidence = models.TextField(default="", blank=True)
    suggested_strength = models.SmallIntegerField(null=True, blank=True, help_text="0-100, or empty")

    class Meta(Record.Meta):
        indexes = [
            models.Index(fields=["did", "key"], name="graph_attestation_did_key", condition=PRESENT),
            models.Index(fields=["target_key"], name="graph_attestation_target", condition=PRESENT),
        ]


class Profile(Record):
    """How someone presents themselves: one row a DID, whatever the record key."""

    key = KeyField(source="did", primary_key=True)
    did = models.TextField(help_text="Whose profile it is.")
    display_name = models.TextField(default="", blank=True)
    entity_type = models.TextField(default="", blank=True, help_text="person, organization, agent, ...")
    bio = models.TextField(default="", blank=True)
    avatar_url = models.TextField(default="", blank=True)
    verified = models.BooleanField(default=False, help_text="What the owner claims, not what we know.")

    class Meta(Record.Meta):
        pass
