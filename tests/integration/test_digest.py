"""Whatever happens on the way, the tables end the same: against the reference model, and against each other."""

from __future__ import annotations

import gzip
import json
import os
import random
import time
from collections.abc import Callable
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

import events
from events.models import Batch, DeadLetter, Event
from rhiz.graph import synthetic
from tests.graph import database, model
from tests.integration.conftest import ROOT, WorkerProcess, eventually, none_pending

Start = Callable[..., WorkerProcess]

AS_OF = "2026-11-01T00:00:00Z"
HARD = synthetic.Mix(hostile=0.05, duplicates=0.1, mixed_priorities=True, rev=True, occurred_at=True)
UNDATED = synthetic.Mix(hostile=0.05, duplicates=0.1, mixed_priorities=True)


def shared_data() -> Path:
    """Where real records may lie: not part of the project."""
    return Path(os.environ.get("RHIZ_SHARED_DATA", ROOT.parent / "shared" / "data")) / "alpha-events.jsonl.gz"


def digest() -> str:
    out = StringIO()
    call_command("graph_digest", as_of=datetime.fromisoformat(AS_OF), stdout=out)
    return out.getvalue().splitlines()[-1]


def append(several: list[dict[str, Any]]) -> None:
    """Append in batches, in order."""
    for first in range(0, len(several), 500):
        events.append(several[first : first + 500])


def dead() -> set[str]:
    return {str(event_id) for event_id in DeadLetter.objects.dead().values_list("event__event_id", flat=True)}


@pytest.mark.parametrize(("mix", "shuffled"), [(HARD, True), (HARD, False), (UNDATED, False)])
def test_workers_leave_the_tables_that_the_model_says(start: Start, mix: synthetic.Mix, shuffled: bool) -> None:
    log = list(synthetic.events(11, 3000, 60, mix))
    if shuffled:
        random.Random(5).shuffle(log)
    append(log[:1500])
    workers = [start() for _ in range(2)]
    append(log[1500:])
    eventually(none_pending, within=60)
    assert database.read() == model.apply(log)
    assert dead() == model.dead(log)
    assert Event.objects.count() == len({e["event_id"] for e in log})
    assert not any(worker.ended for worker in workers)


@pytest.mark.proof
@pytest.mark.postgresql
def test_generated_data_ends_the_same_under_four_processes_one_killed_every_second(start: Start) -> None:
    log = list(synthetic.events(23, 40_000, 400, HARD))
    random.Random(5).shuffle(log)
    under_fire(start, log + log)
    assert database.read() == model.apply(log)
    assert dead() == model.dead(log)


@pytest.mark.proof
@pytest.mark.postgresql
def test_real_data_ends_the_same_shuffled_doubled_and_under_fire(start: Start) -> None:
    """Needs the shared records; without them there is nothing that this could say."""
    if not shared_data().exists():
        pytest.skip("the shared records are not here")
    with gzip.open(shared_data(), "rt") as file:
        log = [json.loads(line) for line in file]
    append(log)
    assert start("--drain").wait(60) == 0
    calm = digest()
    tables = database.read()
    assert (len(tables.relationships), len(tables.attestations)) == (14_124, 10_062)
    append(log)
    assert start("--drain").wait(60) == 0
    assert (Event.objects.count(), digest()) == (24_186, calm), "again: all duplicates"
    Event.objects.all().delete()
    Batch.objects.all().delete()
    database.empty()
    doubled = log + log
    random.Random(5).shuffle(doubled)
    under_fire(start, doubled)
    assert digest() == calm
    assert not dead()


def under_fire(start: Start, log: list[dict[str, Any]]) -> None:
    """Append a log, slowly, under four worker processes of which one is killed every second."""
    chance = random.Random(3)
    workers = [start() for _ in range(4)]
    chunk = len(log) // 25
    for first in range(0, len(log), chunk):
        begun = time.monotonic()
        append(log[first : first + chunk])
        time.sleep(max(0.0, 1.0 - (time.monotonic() - begun)))
        victim = chance.randrange(4)
        workers[victim].kill()
        workers[victim] = start()
    eventually(none_pending, within=180)
