"""The journal of invalidations, and how often each space of keys was given up as a whole."""

from __future__ import annotations

from django.db import models

from cachecore.tags import DIGEST


class Invalidation(models.Model):
    """Tags whose values must not be told any more: written in the transaction that made them wrong.

    Committed, performed (their stamps removed from Redis), marked as performed, and pruned minutes later.
    """

    space = models.TextField(help_text="The KEY_PREFIX of the caches that it concerns.")
    digests = models.BinaryField(help_text="Twelve bytes for each tag.")
    created_at = models.DateTimeField()
    performed_at = models.DateTimeField(null=True, help_text="When the stamps were known to be gone from Redis.")
    transaction = models.BigIntegerField(
        null=True,
        help_text="The transaction that wrote it, on PostgreSQL: rows commit in another order than their ids.",
    )

    class Meta:
        db_table = "cachecore_invalidation"
        indexes = [
            models.Index(fields=["space"], name="cachecore_unperformed", condition=models.Q(performed_at__isnull=True)),
            models.Index(fields=["transaction"], name="cachecore_transaction"),
            models.Index(
                fields=["performed_at"], name="cachecore_performed", condition=models.Q(performed_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.space} #{self.pk}"

    @property
    def tags(self) -> int:
        """How many tags it names."""
        return len(self.digests) // DIGEST


class Rotation(models.Model):
    """A space's part of the epoch. Raised when what Redis holds of the space can't be relied on any more."""

    space = models.TextField(primary_key=True)
    number = models.BigIntegerField()

    class Meta:
        db_table = "cachecore_rotation"

    def __str__(self) -> str:
        return f"{self.space}: {self.number}"
