"""The rhiz project: a trust and relationship graph fed by the event log."""

__version__ = "0.1.0"
