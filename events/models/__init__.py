from events.models.dead_letter import DeadLetter
from events.models.event import Event
from events.models.lane import Lane
from events.models.worker import Worker

__all__ = ["DeadLetter", "Event", "Lane", "Worker"]
