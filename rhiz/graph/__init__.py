"""The trust graph: relationships, attestations and profiles as their owners' repositories hold them."""
