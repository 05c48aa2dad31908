"""With real servers, under load: every tier keeps its limit in time and tells the truth, whatever is away."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.health.load import BATCH, CLIENTS
from tests.health.prober import Probed, probe
from tests.health.stage import BLACK_HOLE, BOTH, DATABASE, FREEZE, POOL, REDIS, STOP, Stage
from tests.integration.conftest import eventually

LIMITS = {"/health": 0.010, "/health/ready": 0.100, "/health/detailed": 0.500}  # seconds, of the 99th percentile
WORKERS_LIMITS = {"/health": 0.100, "/health/ready": 0.100}
QUESTIONS = 500
TURNS = 3.0  # seconds within which a fault, and its end, must be told
SETTLES = 30.0  # seconds after which nothing of a fault is left
ROUNDS = 20
PAUSE = 15.0  # seconds; threads that wait for traffic end after ten
FAULTS = [(whom, fault) for fault in (FREEZE, BLACK_HOLE, STOP) for whom in (DATABASE, REDIS, BOTH)]

pytestmark = [pytest.mark.proof, pytest.mark.postgresql, pytest.mark.redis, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as made:
        yield made


@pytest.fixture(scope="module")
def healthy(stage: Stage) -> dict[str, Probed]:
    """The same measurements with nothing at fault."""
    return _probe_all(stage)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Tells a figure that is wanted in the proof's output."""

    def print_it(line: str) -> None:
        with capsys.disabled():
            print(f"\n  {line}", end="")

    return print_it


def _probe_all(stage: Stage) -> dict[str, Probed]:
    probed = {f"web {path}": probe(stage.web_address, path, QUESTIONS) for path in LIMITS}
    return probed | {f"worker {path}": probe(stage.worker_address, path, QUESTIONS) for path in WORKERS_LIMITS}


def _limit(name: str) -> float:
    process, path = name.split()
    return (LIMITS if process == "web" else WORKERS_LIMITS)[path]


def _took(condition: Callable[[], bool], what: str) -> float:
    began = time.monotonic()
    eventually(condition, within=TURNS, what=what)
    return time.monotonic() - began


def _expected(name: str, whom: str) -> set[int]:
    if name.endswith("/ready") and whom != REDIS:
        return {503}
    return {200}


def test_the_intake_is_under_load(stage: Stage, say: Callable[[str], None]) -> None:
    first, began = stage.processed(), time.monotonic()
    eventually(lambda: stage.processed() > first + BATCH * CLIENTS)
    rate = (stage.processed() - first) / (time.monotonic() - began)
    say(f"the load: {rate:.0f} events/s come in and are applied")


def test_limits_hold_while_all_is_well(healthy: dict[str, Probed], say: Callable[[str], None]) -> None:
    for name, probed in healthy.items():
        say(f"{name}: p50 {1000 * probed.p50:.1f} ms, p99 {1000 * probed.p99:.1f} ms")
        assert probed.p99 < _limit(name), name
        assert probed.statuses == {200}, name


@pytest.mark.parametrize(("whom", "fault"), FAULTS)
def test_limits_hold_and_the_truth_is_told_while(
    stage: Stage, healthy: dict[str, Probed], whom: str, fault: str, say: Callable[[str], None]
) -> None:
    eventually(stage.is_well, within=SETTLES)
    stage.begin(whom, fault)
    try:
        say(f"{whom} {fault}: told after {_took(lambda: stage.believes(whom), 'the fault is told'):.1f} s")
        probed = _probe_all(stage)
    finally:
        stage.end(whom, fault)
    say(f"its end told after {_took(stage.serves, 'its end is told'):.1f} s")
    for name, now in probed.items():
        ratio = now.p99 / healthy[name].p99
        say(f"{name}: p50 {1000 * now.p50:.1f} ms, p99 {1000 * now.p99:.1f} ms, {ratio:.2f} of healthy")
        assert now.p99 < _limit(name), name
        assert now.statuses == _expected(name, whom), name


def test_nothing_is_leaked_by_many_faults(stage: Stage, say: Callable[[str], None]) -> None:
    def one_round() -> None:
        for fault in (FREEZE, BLACK_HOLE, STOP):
            stage.begin(BOTH, fault)
            try:
                eventually(lambda: stage.believes(BOTH), within=SETTLES)
            finally:
                stage.end(BOTH, fault)
            eventually(stage.is_well, within=SETTLES)

    def at_rest() -> dict[str, int]:
        """The least held while the load pauses: what ends by itself may take a while."""
        stage.load.send_signal(signal.SIGSTOP)
        seen = []
        end = time.monotonic() + PAUSE
        while time.monotonic() < end:
            seen.append(stage.held())
            time.sleep(0.25)
        stage.load.send_signal(signal.SIGCONT)
        return {name: min(each[name] for each in seen) for name in seen[0]}

    one_round()
    before = at_rest()
    for _ in range(ROUNDS):
        one_round()
    after = at_rest()

    say(f"before {ROUNDS} rounds {before}, after {after}")
    # The pool's size follows what was needed at once, and each round would leak one or more.
    allowed = dict.fromkeys(("web connections", "web descriptors"), POOL)
    assert {name: held for name, held in after.items() if held > before[name] + allowed.get(name, CLIENTS)} == {}
