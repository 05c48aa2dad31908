from events.models.attempt import Attempt
from events.models.audit import Audit
from events.models.batch import Batch
from events.models.bulk_action import BulkAction
from events.models.dead_letter import DeadLetter
from events.models.event import Event
from events.models.lane import Lane
from events.models.latency import Latency
from events.models.pending import Pending
from events.models.sample import Pipeline, Sample
from events.models.state import EventState
from events.models.tally import Departed, Tally
from events.models.worker import Worker

__all__ = [
    "Attempt",
    "Audit",
    "Batch",
    "BulkAction",
    "DeadLetter",
    "Departed",
    "Event",
    "EventState",
    "Lane",
    "Latency",
    "Pending",
    "Pipeline",
    "Sample",
    "Tally",
    "Worker",
]
