"""Several processes, one database, one Redis, the faults between them, and what the cache may tell of all that."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import psycopg

from tests.cachecore.actor import TRUTH
from tests.cachecore.actors import Actors, Process, Request, actors
from tests.cachecore.claim import Claim
from tests.proxy import Mode, Proxy
from tests.servers import Valkey

ACTORS = 3
KEYS = ("a", "b")
HELD = ("loading", "loaded", "held")
ROUND = 0.6  # seconds in which every keeper has looked once
SOON = 0.25  # seconds after which a read counts as waiting for another's load
ANSWER = 20.0  # seconds within which everything that can go on must have been answered


@dataclass(eq=False)
class Read:
    """A read that is not answered yet. `floors`: the oldest versions that it may be told."""

    actor: int
    request: Request
    keys: Sequence[str]
    floors: dict[str, int]
    strict: dict[str, int]  # if all of it happened in local memory


@dataclass(eq=False)
class Write:
    """A write whose invalidation has not returned yet."""

    actor: int
    request: Request
    key: str
    version: int
    roll_back: bool
    look: bool


@dataclass
class Place:
    """Where an actor runs: its way to Redis, and the process there."""

    proxy: Proxy
    process: Process
    stopped: bool = False


class World:
    """One method a step. Steps are taken in any order; one that makes no sense as things are does nothing."""

    def __init__(self, cast: Actors, server: Valkey, proxies: list[Proxy], database: psycopg.Connection) -> None:
        self._cast = cast
        self._server = server
        self._database = database
        self._places = [Place(proxy, cast.start(proxy.redis_url)) for proxy in proxies]
        self._runs = count(1)
        self._server_stopped = self._server_down = False
        self._reads: list[Read] = []
        self._writes: list[Write] = []
        self._failed = False
        self.log: list[str] = []

    # --- One story --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """New keys, a Redis that is reached and trusted by all."""
        self.log.clear()
        self._prefix = f"claim{next(self._runs)}"
        self._versions = dict.fromkeys(KEYS, 0)
        self._claim = Claim(KEYS, ACTORS)
        for key in KEYS:
            self._database.execute(f"INSERT INTO {TRUTH} VALUES (%s, 0)", [f"{self._prefix}:{key}"])
        self._server.save()
        for actor in range(ACTORS):
            self.trust(actor)

    def end(self) -> None:
        """Mend everything, let all that is held go on, and hold every later read against the truth."""
        if self._failed:
            self._abandon()
            return
        self.mend()
        self._settle()
        self.wait()
        for actor in range(ACTORS):
            for how in ("document", "many", "plain"):
                self.read(actor, KEYS, how)
        self._settle()  # a restored dump may hold the lock of a load that has ended: a lease's time, not more

    def _settle(self) -> None:
        """Let all that is held go on, until everything is answered."""
        end = time.monotonic() + ANSWER
        while self._reads or self._writes:
            assert time.monotonic() < end, f"not answered: {self.story}"
            for each in self._unanswered():
                if _is_held(each):
                    self._send_on(each)
            time.sleep(0.01)
            self._collect()

    def mend(self) -> None:
        """End every fault."""
        self.server_goes_on()
        for actor in range(ACTORS):
            self.go_on(actor)
            self.link(actor, Mode.PASS)

    @property
    def story(self) -> str:
        """The steps so far and what came of them, one a line."""
        return "\n".join(["", *self.log])

    def _abandon(self) -> None:
        """After a failure: nothing of this story may reach into the next."""
        actors = {each.actor for each in self._unanswered()}
        self._reads.clear()
        self._writes.clear()
        self._failed = False
        self.mend()
        for actor in actors:
            self.kill(actor)

    def tell(self, story: Callable[[World], None]) -> str:
        """Play a story from its beginning to its end; what is wrong with it, or nothing."""
        self.begin()
        try:
            story(self)
            self.end()
        except AssertionError as error:
            self._failed = True
            self.end()
            return str(error)
        return ""

    def holds(self) -> bool:
        """Whether something is held that could be released."""
        return any(_is_held(each) for each in self._unanswered())

    def is_harmed(self) -> bool:
        """Whether a process, its way to Redis or Redis itself is not as it should be."""
        places = any(place.stopped or place.proxy.mode is not Mode.PASS for place in self._places)
        return places or not self._server_answers()

    # --- What processes do ------------------------------------------------------------------------------------

    def read(self, actor: int, keys: Sequence[str], how: str = "document", hold: str = "") -> None:
        """Ask the cache; `hold` a load before or after it reads the truth, if it comes to that."""
        place = self._places[actor]
        if place.stopped:
            return
        floors, strict = self._claim.floors(actor)
        self._note(f"read({actor}, {keys!r}, {how!r}, {hold!r})")
        request = place.process.ask("read", prefix=self._prefix, keys=list(keys), how=how, hold=hold)
        self._reads.append(Read(actor, request, keys, floors, strict))
        request.wait("done", "failed", "loading", "loaded", timeout=SOON)
        self._collect()

    def write(self, actor: int, key: str, hold: str = "", *, roll_back: bool = False, look: bool = False) -> None:
        """Make the key's next version true; `hold` it while the transaction is open, or when it is just committed."""
        place = self._places[actor]
        if place.stopped or any(write.key == key for write in self._writes):
            return
        self._versions[key] += 1
        version = self._versions[key]
        self._note(f"write({actor}, {key!r}, {hold!r}, roll_back={roll_back}, look={look})  # {version}")
        request = place.process.ask(
            "write", prefix=self._prefix, key=key, version=version, hold=hold, roll_back=roll_back, look=look
        )
        self._writes.append(Write(actor, request, key, version, roll_back, look))
        request.wait("done", "failed", "held", timeout=ANSWER)
        self._collect()

    def release(self, which: int) -> None:
        """Let one of the held reads and writes go on."""
        held = [each for each in self._unanswered() if _is_held(each)]
        if held:
            each = held[which % len(held)]
            self._note(f"release({which % len(held)})  # {type(each).__name__.lower()} of {each.actor}")
            self._send_on(each)
            if not self._places[each.actor].stopped:
                each.request.wait("done", "failed", *HELD, timeout=ANSWER)
            self._collect()

    def trust(self, actor: int) -> None:
        """Wait until the actor is served by Redis, if it can be."""
        place = self._places[actor]
        if place.stopped or place.proxy.mode is not Mode.PASS or self._server_stopped or self._server_down:
            return
        self._note(f"trust({actor})")
        request = place.process.ask("await trust")
        assert request.wait("done", timeout=ANSWER), f"{actor} does not answer: {self.story}"
        assert request.answers["done"]["found"], f"{actor} does not trust Redis{self.story}"

    def wait(self) -> None:
        """Let the time pass within which others must have learned, and every keeper has had a round."""
        self._note("wait()")
        time.sleep(max(ROUND, self._claim.outstanding()))
        self._collect()

    # --- What happens to them ---------------------------------------------------------------------------------

    def kill(self, actor: int) -> None:
        """Kill the process, wherever it is, and start another in its place."""
        place = self._places[actor]
        self._note(f"kill({actor})")
        place.process.kill()
        self._gone(place.process.name)
        self._collect()
        for write in [write for write in self._writes if write.actor == actor]:
            self._writes.remove(write)
            self._claim.died(write.key, write.version, committed=self._truth(write.key) == write.version)
        self._reads = [read for read in self._reads if read.actor != actor]
        self._claim.replaced(actor)
        place.process, place.stopped = self._cast.start(place.proxy.redis_url), False

    def stop(self, actor: int) -> None:
        """SIGSTOP."""
        self._note(f"stop({actor})")
        self._places[actor].process.signal(signal.SIGSTOP)
        self._places[actor].stopped = True

    def go_on(self, actor: int) -> None:
        """SIGCONT."""
        if self._places[actor].stopped:
            self._note(f"go_on({actor})")
            self._places[actor].process.signal(signal.SIGCONT)
            self._places[actor].stopped = False
            self._collect()

    def link(self, actor: int, mode: Mode) -> None:
        """Let the actor's way to Redis pass, refuse or hang."""
        if self._places[actor].proxy.mode is not mode:
            self._note(f"link({actor}, Mode.{mode.name})")
            self._places[actor].proxy.set(mode)

    def cut(self, actor: int) -> None:
        """Close the actor's connections to Redis."""
        self._note(f"cut({actor})")
        self._places[actor].proxy.cut()

    # --- What happens to Redis --------------------------------------------------------------------------------

    def flush(self) -> None:
        """FLUSHALL."""
        if self._server_answers():
            self._note("flush()")
            self._server.redis.flushall()

    def save(self) -> None:
        """Write the dump that later restarts load."""
        if self._server_answers():
            self._note("save()")
            self._server.save()

    def restart(self, *, old: bool) -> None:
        """Kill it, and start it again empty or with the last dump."""
        self._note(f"restart(old={old})")
        if not old:
            self._server.forget_dump()
        self._server.restart()
        self._server_stopped = self._server_down = False

    def power_off(self) -> None:
        """Kill it, and leave it so."""
        self._note("power_off()")
        self._server.kill()
        self._server_down, self._server_stopped = True, False

    def server_stops(self) -> None:
        """SIGSTOP."""
        if self._server_answers():
            self._note("server_stops()")
            self._server.signal(signal.SIGSTOP)
            self._server_stopped = True

    def server_goes_on(self) -> None:
        """SIGCONT, or a start with the last dump."""
        if self._server_stopped:
            self._note("server_goes_on()")
            self._server.signal(signal.SIGCONT)
            self._server_stopped = False
        elif self._server_down:
            self.restart(old=True)

    def _server_answers(self) -> bool:
        return not self._server_stopped and not self._server_down

    # --- What came of it --------------------------------------------------------------------------------------

    def _unanswered(self) -> list[Read | Write]:
        return [*self._reads, *self._writes]

    def _send_on(self, each: Read | Write) -> None:
        for step in HELD:
            each.request.answers.pop(step, None)
        self._places[each.actor].process.go_on(each.request)

    def _collect(self) -> None:
        """Hold what was answered against the claim."""
        try:
            for write in [write for write in self._writes if _is_answered(write)]:
                self._writes.remove(write)
                self._learn(write)
            for read in [read for read in self._reads if _is_answered(read)]:
                self._reads.remove(read)
                self._check(read)
        except AssertionError:
            self._failed = True
            raise

    def _learn(self, write: Write) -> None:
        answer = self._answer(write)
        self.log[-1] += f"  -> {write.actor} wrote {write.key}={write.version} ({answer['mode']})"
        if write.roll_back:
            self._claim.rolled_back(write.key, write.version)
        else:
            self._claim.returned(write.actor, write.key, write.version, reached=answer["mode"] == "redis")
        if write.look:
            assert answer["found"] == {write.key: write.version}, f"not its own write: {answer}{self.story}"

    def _check(self, read: Read) -> None:
        answer = self._answer(read)
        self.log[-1] += f"  -> {read.actor} was told {answer['found']} ({answer['mode']})"
        in_memory = answer["steady"] and answer["mode"] == "memory"
        self._claim.check(answer["found"], read.strict if in_memory else read.floors, self.story)

    def _answer(self, each: Read | Write) -> dict[str, Any]:
        answers = each.request.answers
        assert "failed" not in answers, f"{answers['failed']}{self.story}"
        return answers["done"]

    def _truth(self, key: str) -> int:
        row = self._database.execute(f"SELECT version FROM {TRUTH} WHERE key = %s", [f"{self._prefix}:{key}"])
        found = row.fetchone()
        assert found
        return int(found[0])

    def _gone(self, name: str) -> None:
        """Wait until the database has ended all that a dead process had begun there."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
        while True:
            found = self._database.execute(query, [name]).fetchone()
            if found == (0,):
                return
            time.sleep(0.005)

    def _note(self, step: str) -> None:
        self.log.append(step)


def _is_held(each: Read | Write) -> bool:
    return not each.request.answers.keys().isdisjoint(HELD) and not _is_answered(each)


def _is_answered(each: Read | Write) -> bool:
    return not each.request.answers.keys().isdisjoint(("done", "failed"))


@contextmanager
def world(database_url: str, mutant: str = "") -> Iterator[World]:
    """Actors, proxies and a Valkey, for the length of the block."""
    with ExitStack() as stack:
        server = stack.enter_context(Valkey())
        database = stack.enter_context(truth_table(database_url))
        cast = stack.enter_context(actors(database_url, mutant))
        proxies = [stack.enter_context(Proxy(server.port)) for _ in range(ACTORS)]
        yield World(cast, server, proxies, database)


@contextmanager
def truth_table(database_url: str) -> Iterator[psycopg.Connection]:
    """The table of what is true, for the length of the block, and a connection to its database."""
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute(f"DROP TABLE IF EXISTS {TRUTH}")
        database.execute(f"CREATE TABLE {TRUTH} (key text PRIMARY KEY, version integer NOT NULL)")
        yield database
        database.execute(f"DROP TABLE {TRUTH}")
