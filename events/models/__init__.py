from events.models.attempt import Attempt
from events.models.bulk_action import BulkAction
from events.models.dead_letter import DeadLetter
from events.models.event import Event
from events.models.lane import Lane
from events.models.latency import Latency
from events.models.sample import Pipeline, Sample
from events.models.tally import Departed, Tally
from events.models.worker import Worker

__all__ = [
    "Attempt",
    "BulkAction",
    "DeadLetter",
    "Departed",
    "Event",
    "Lane",
    "Latency",
    "Pipeline",
    "Sample",
    "Tally",
    "Worker",
]
