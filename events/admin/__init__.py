"""The log in Django's admin."""

from events.admin.bulk_actions import BulkActionAdmin
from events.admin.dead_letters import DeadLetterAdmin
from events.admin.log import LogAdmin
from events.admin.pipeline import PipelineAdmin
from events.admin.workers import WorkerAdmin

__all__ = ["BulkActionAdmin", "DeadLetterAdmin", "LogAdmin", "PipelineAdmin", "WorkerAdmin"]
