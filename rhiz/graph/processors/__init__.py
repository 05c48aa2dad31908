"""What the events of the graph do to its tables. Importing this package registers all of it with the log."""

from rhiz.graph.processors import attestation, profile, relationship, trust

__all__ = ["attestation", "profile", "relationship", "trust"]
