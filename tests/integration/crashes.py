"""What the tests of crashes share: events, processes that die, and the comparison of the log with what it accepted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.management import call_command
from django.db.models import Sum

import events
from events.log.dead_letters import bury
from events.models import Attempt, DeadLetter, Event, Tally
from events.worker.quarantine import STRIKE
from tests.integration.conftest import ROOT, WorkerProcess, database_url
from tests.integration.conftest import event as an_event
from tests.recorder.models import Seen

Start = Callable[..., WorkerProcess]
Events = list[dict[str, Any]]
REFUSED = "told to refuse"


def sample(*, late: bool = False) -> Events:
    """As many events as a worker's first batch holds: of two DIDs, and of one whose first is dead in the end.

    With `late` also of one whose first is tried twice.
    """
    several = [one(n, f"did:plc:{n % 2}", priority=n % 4) for n in range(6)]
    several += [one(0, "did:plc:refused", do="refuse"), one(1, "did:plc:refused")]
    return several + ([one(0, "did:plc:late", do="fail-at-first"), one(1, "did:plc:late")] if late else [])


def one(n: int, did: str, **fields: Any) -> dict[str, Any]:
    """One event, which keeps its event_id when it is sent again."""
    return {**an_event(n, did, **fields), "event_id": str(uuid4())}


def appended(several: Events | None = None, status: str = "enqueued") -> Events:
    """Append events here, where nothing dies, and expect this answer for each."""
    several = several or sample()
    assert {each.status for each in events.append(several)} == {status}
    return several


def ids(several: Events) -> list[int]:
    """Their ids in the log."""
    rows = Event.objects.filter(event_id__in=[each["event_id"] for each in several])
    return list(rows.order_by("id").values_list("id", flat=True))


def letters(several: Events) -> int:
    """Make dead letters of pending events that a processor would apply; how many."""
    return int(bury(ids(several), error="buried by a test"))


def manage(*arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    settings = {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": database_url()}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **settings, **environment},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


class Crash:
    """A place of `tests.recorder.crash_points`; what dies there is given `environment`."""

    def __init__(self, name: str, directory: Path) -> None:
        self.environment = {"CRASH_AT": f"{name}:{directory}"}
        self._marker = directory / name

    def happened(self, returncode: int) -> bool:
        """Whether a process that ended so died at the place."""
        return returncode == -signal.SIGKILL and self._marker.exists()

    def of_worker(self, start: Start) -> WorkerProcess:
        """Let a worker die there."""
        worker = start(**self.environment)
        assert self.happened(worker.wait()), worker.said()
        return worker

    def of_command(self, *arguments: str, given: str = "") -> None:
        """Let a command die there, before it has answered anything."""
        ended = manage(*arguments, given=given, **self.environment)
        assert self.happened(ended.returncode), ended.stderr
        assert ended.stdout == ""


def drain(start: Start) -> None:
    """Let a worker apply what is pending."""
    worker = start("--drain")
    assert worker.wait() == 0, worker.said()


def strikes() -> list[int]:
    """The ids of events that a death is held against, once for each time."""
    return sorted(Attempt.objects.filter(kind=STRIKE).values_list("event_id", flat=True))


def check(accepted: Events, **dead: str) -> None:
    """Compare the log, which nothing is pending in, with what was accepted.

    Each event was applied exactly once, in the order of its DID, or is dead with its reason; each is in one place, and
    the counters are those of the log. `dead` are parts of the errors of dead letters, by the end of their DID.
    """
    dead = dead or {"refused": REFUSED}
    log = {str(event_id): state for event_id, state in Event.objects.with_state().values_list("event_id", "state")}
    assert set(log) == {each["event_id"] for each in accepted}
    errors = {did.rpartition(":")[2]: error for did, error in DeadLetter.objects.dead().values_list("did", "error")}
    assert set(errors) == set(dead) and all(text in errors[did] for did, text in dead.items())
    buried = {str(event_id) for event_id in DeadLetter.objects.values_list("event__event_id", flat=True)}
    assert log == {event_id: Event.State.DEAD if event_id in buried else Event.State.DONE for event_id in log}

    done = set(log) - buried
    assert Counter(map(str, Seen.objects.values_list("event_id", flat=True))) == dict.fromkeys(done, 1)
    applied: dict[str, list[int]] = defaultdict(list)
    for did, number in Seen.objects.order_by("id").values_list("did", "number"):
        applied[did].append(number)
    assert applied == {did: sorted(numbers) for did, numbers in applied.items()}

    call_command("verify_log", verbosity=0)
    counted = Tally.objects.aggregate(processed=Sum("processed", default=0), failed=Sum("failed", default=0))
    assert counted == {"processed": len(done), "failed": Attempt.objects.exclude(kind=STRIKE).count()}
