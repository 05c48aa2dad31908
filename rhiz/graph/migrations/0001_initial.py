import django.db.models.manager
import rhiz.graph.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Profile",
            fields=[
                ("uri", models.TextField(help_text="AT-URI; it is looked up by `key`, and has no index of its own.")),
                ("cid", rhiz.graph.fields.IdentifierField(blank=True, default="")),
                (
                    "created_at",
                    models.DateTimeField(blank=True, help_text="As the record says; empty in a tombstone.", null=True),
                ),
                (
                    "version",
                    models.BigIntegerField(
                        default=0, help_text="Microseconds since 1970 of the event that wrote the row."
                    ),
                ),
                (
                    "event",
                    models.BigIntegerField(
                        default=0, help_text="That event's id in the log, which forgets it one day."
                    ),
                ),
                ("deleted", models.BooleanField(default=False)),
                (
                    "key",
                    rhiz.graph.fields.KeyField(
                        blank=True, editable=False, primary_key=True, serialize=False, source="did"
                    ),
                ),
                ("did", models.TextField(help_text="Whose profile it is.")),
                ("display_name", models.TextField(blank=True, default="")),
                ("entity_type", models.TextField(blank=True, default="", help_text="person, organization, agent, ...")),
                ("bio", models.TextField(blank=True, default="")),
                ("avatar_url", models.TextField(blank=True, default="")),
                ("verified", models.BooleanField(default=False, help_text="What the owner claims, not what we know.")),
            ],
            options={
                "abstract": False,
                "base_manager_name": "with_tombstones",
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("with_tombstones", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Attestation",
            fields=[
                (
                    "key",
                    rhiz.graph.fields.KeyField(
                        blank=True, editable=False, primary_key=True, serialize=False, source="uri"
                    ),
                ),
                ("uri", models.TextField(help_text="AT-URI; it is looked up by `key`, and has no index of its own.")),
                (
                    "did",
                    rhiz.graph.fields.IdentifierField(
                        default="", help_text="The owner: the DID whose repository holds the record."
                    ),
                ),
                ("cid", rhiz.graph.fields.IdentifierField(blank=True, default="")),
                (
                    "created_at",
                    models.DateTimeField(blank=True, help_text="As the record says; empty in a tombstone.", null=True),
                ),
                (
                    "version",
                    models.BigIntegerField(
                        default=0, help_text="Microseconds since 1970 of the event that wrote the row."
                    ),
                ),
                (
                    "event",
                    models.BigIntegerField(
                        default=0, help_text="That event's id in the log, which forgets it one day."
                    ),
                ),
                ("deleted", models.BooleanField(default=False)),
                ("target_uri", models.TextField(default="", help_text="The relationship's AT-URI.")),
                (
                    "target_key",
                    rhiz.graph.fields.KeyField(
                        blank=True,
                        editable=False,
                        help_text="The relationship's key; null in a tombstone.",
                        null=True,
                        source="target_uri",
                    ),
                ),
                ("attestation_type", models.TextField(default="", help_text="verify, strengthen, weaken or dispute")),
                ("confidence", models.SmallIntegerField(default=0, help_text="0-100")),
                ("evidence", models.TextField(blank=True, default="")),
                ("suggested_strength", models.SmallIntegerField(blank=True, help_text="0-100, or empty", null=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "with_tombstones",
                "indexes": [
                    models.Index(
                        condition=models.Q(("deleted", False)), fields=["did", "key"], name="graph_attestation_did_key"
                    ),
                    models.Index(
                        condition=models.Q(("deleted", False)), fields=["target_key"], name="graph_attestation_target"
                    ),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("with_tombstones", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Relationship",
            fields=[
                (
                    "key",
                    rhiz.graph.fields.KeyField(
                        blank=True, editable=False, primary_key=True, serialize=False, source="uri"
                    ),
                ),
                ("uri", models.TextField(help_text="AT-URI; it is looked up by `key`, and has no index of its own.")),
                (
                    "did",
                    rhiz.graph.fields.IdentifierField(
                        default="", help_text="The owner: the DID whose repository holds the record."
                    ),
                ),
                ("cid", rhiz.graph.fields.IdentifierField(blank=True, default="")),
                (
                    "created_at",
                    models.DateTimeField(blank=True, help_text="As the record says; empty in a tombstone.", null=True),
                ),
                (
                    "version",
                    models.BigIntegerField(
                        default=0, help_text="Microseconds since 1970 of the event that wrote the row."
                    ),
                ),
                (
                    "event",
                    models.BigIntegerField(
                        default=0, help_text="That event's id in the log, which forgets it one day."
                    ),
                ),
                ("deleted", models.BooleanField(default=False)),
                (
                    "participant_a",
                    rhiz.graph.fields.IdentifierField(default="", help_text="The DID that the record names first."),
                ),
                (
                    "participant_b",
                    rhiz.graph.fields.IdentifierField(default="", help_text="The DID that the record names second."),
                ),
                (
                    "kind",
                    models.TextField(default="", help_text="The record's `type`: professional, personal, family, ..."),
                ),
                ("strength", models.SmallIntegerField(default=0, help_text="0-100")),
                ("context", models.TextField(blank=True, default="")),
            ],
            options={
                "abstract": False,
                "base_manager_name": "with_tombstones",
                "indexes": [
                    models.Index(condition=models.Q(("deleted", False)), fields=["did"], name="graph_relationship_did"),
                    models.Index(
                        condition=models.Q(("deleted", False)),
                        fields=["participant_a", "key"],
                        name="graph_relationship_a_key",
                    ),
                    models.Index(
                        condition=models.Q(("deleted", False)),
                        fields=["participant_b", "key"],
                        name="graph_relationship_b_key",
                    ),
                ],
            },
            managers=[
                ("objects", django.db.models.manager.Manager()),
                ("with_tombstones", django.db.models.manager.Manager()),
            ],
        ),
    ]
