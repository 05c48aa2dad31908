"""The steps of `World` in any order: what hypothesis plays when it looks for a stale read."""

from __future__ import annotations

from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.cachecore.world import ACTORS, KEYS, World
from tests.proxy import Mode

an_actor = st.integers(0, ACTORS - 1)
a_key = st.sampled_from(KEYS)
a_way = st.sampled_from(["document", "many", "plain"])
some_keys = st.sampled_from([("a",), ("b",), ("a", "b")])


class Machine(RuleBasedStateMachine):
    """One story of a world that outlives it."""

    world: ClassVar[World]

    @initialize()
    def begin(self) -> None:
        self.world.begin()

    def teardown(self) -> None:
        self.world.end()

    @rule(keys=some_keys, how=a_way)
    def all_read(self, keys: tuple[str, ...], how: str) -> None:
        for actor in range(ACTORS):
            self.world.read(actor, keys, how)

    @rule(actor=an_actor, keys=some_keys, how=a_way, hold=st.sampled_from(["before", "after"]))
    def read_slowly(self, actor: int, keys: tuple[str, ...], how: str, hold: str) -> None:
        self.world.read(actor, keys, how, hold)

    @rule(actor=an_actor, key=a_key, look=st.booleans())
    def write(self, actor: int, key: str, look: bool) -> None:
        self.world.write(actor, key, look=look)

    @rule(actor=an_actor, key=a_key, hold=st.sampled_from(["open", "committed"]), look=st.booleans())
    def write_slowly(self, actor: int, key: str, hold: str, look: bool) -> None:
        self.world.write(actor, key, hold, look=look)

    @rule(actor=an_actor, key=a_key, hold=st.sampled_from(["", "open"]))
    def roll_back(self, actor: int, key: str, hold: str) -> None:
        self.world.write(actor, key, hold, roll_back=True, look=True)

    @precondition(lambda self: self.world.holds())
    @rule(which=st.integers(0, 5))
    def release(self, which: int) -> None:
        self.world.release(which)

    @rule(actor=an_actor, fault=st.sampled_from(["kill", "stop", "cut", Mode.REFUSE, Mode.HANG]))
    def harm(self, actor: int, fault: str) -> None:
        match fault:
            case "kill":
                self.world.kill(actor)
            case "stop":
                self.world.stop(actor)
            case "cut":
                self.world.cut(actor)
            case _:
                self.world.link(actor, Mode(fault))

    @rule(fault=st.sampled_from(["flush", "empty", "old dump", "power off", "stop"]))
    def harm_redis(self, fault: str) -> None:
        match fault:
            case "flush":
                self.world.flush()
            case "power off":
                self.world.power_off()
            case "stop":
                self.world.server_stops()
            case _:
                self.world.restart(old=fault == "old dump")

    @rule()
    def save(self) -> None:
        self.world.save()

    @precondition(lambda self: self.world.is_harmed())
    @rule()
    def mend(self) -> None:
        self.world.mend()
        for actor in range(ACTORS):
            self.world.trust(actor)

    @rule()
    def wait(self) -> None:
        self.world.wait()
