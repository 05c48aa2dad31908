"""Whether this process, and what it depends on, can do its work: told from memory, never by asking while answering.

An app adds a check of its own in a module `health_checks`:

    import health

    @health.check("mail", limit=2.0)
    def mail() -> None:
        connect().noop()  # what it raises is a failure, what it returns may say more
"""

from health.answers import Answer, Status
from health.registry import check

__all__ = ["Answer", "Status", "check"]
