"""The log in Django's admin."""

from events.admin.dead_letters import DeadLetterAdmin
from events.admin.events import EventAdmin
from events.admin.workers import WorkerAdmin

__all__ = ["DeadLetterAdmin", "EventAdmin", "WorkerAdmin"]
