from events.models.event import Event
from events.models.lane import Lane
from events.models.worker import Worker

__all__ = ["Event", "Lane", "Worker"]
