"""The log in Django's admin."""

from events.admin.dead_letters import DeadLetterAdmin
from events.admin.log import LogAdmin
from events.admin.pipeline import PipelineAdmin
from events.admin.workers import WorkerAdmin

__all__ = ["DeadLetterAdmin", "LogAdmin", "PipelineAdmin", "WorkerAdmin"]
