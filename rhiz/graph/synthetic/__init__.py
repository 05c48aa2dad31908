"""A synthetic network: as many events as wanted, the same for the same seed, in constant memory."""

from rhiz.graph.synthetic.mix import Mix
from rhiz.graph.synthetic.stream import events

__all__ = ["Mix", "events"]
