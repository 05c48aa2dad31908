"""A log at three in the morning: a month of history, most applied, some dead, one held up, a bulk action under way."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from random import Random

from django.contrib.auth.models import User
from django.utils import timezone
from model_bakery import baker

import events
from events.history.folding import slot_of
from events.history.keeping import COARSE, FINE
from events.latency import BUCKETS
from events.models import Attempt, BulkAction, Pending, Sample, Worker
from rhiz.graph.synthetic import stream
from rhiz.graph.synthetic.mix import Mix

HOUR, MONTH = 3_600, 30 * 86_400  # seconds
LOCK_TIMEOUT = "OperationalError: canceling statement due to lock timeout"
# Plain records, and strangers' that fit no type.
MIX = Mix(hostile=0.06)


def fall(operator: User) -> None:
    """Make it so; workers have applied what they were given before."""
    now = timezone.now()
    Sample.objects.all().delete()
    Sample.objects.bulk_create([*_history(now, FINE, HOUR), *_history(now, COARSE, MONTH)])
    latency = [0] * BUCKETS
    latency[3], latency[5], latency[8] = 900, 80, 20
    Worker.objects.all().delete()
    for pid, share in ((411, 0.35), (412, 0.2)):
        baker.make(
            Worker,
            host="worker-1",
            pid=pid,
            started_at=now - timedelta(hours=5),
            heartbeat_at=now + timedelta(hours=1),  # no process beats for these
            process_started=0,
            processed=1_234_567,
            failed=321,
            minute_processed=2_400,
            minute_busy=60 * share,
            minute_available=60,
            minute_seconds=60,
            minute_latency=latency,
            batches=[{"events": 120, "lanes": [3, 7], "seconds": 0.04}],
            failing_lanes=[{"lane": 9, "times": 12, "seconds": 41.5, "error": LOCK_TIMEOUT}] if pid == 412 else [],
        )
    events.append(list(stream.events(seed=9, count=40, dids=20)))
    held = Pending.objects.earliest("id")
    Pending.objects.filter(pk=held.pk).update(attempts=2, available_at=now + timedelta(minutes=4))
    kind, _, message = LOCK_TIMEOUT.partition(": ")
    Attempt.objects.create(event_id=held.id, number=2, kind=kind, message=message)
    baker.make(
        BulkAction,
        verb="requeue",
        filter={"event_type": "relationship.created"},
        asked_by=operator,
        asked_at=now - timedelta(seconds=9),
        expected=100_000,
        changed=41_000,
    )


def _history(now: datetime, step: int, kept: int) -> list[Sample]:
    """A day's rhythm, a flood that workers took a while for, and a time in which none ran."""
    random, samples = Random(step), []
    received = processed = failed = dead = 0
    latency = [0] * BUCKETS
    count = kept // step
    for left in range(count, 0, -1):
        at, share = now - timedelta(seconds=left * step), left / count
        if 0.3 < share < 0.34:
            continue
        swing = math.sin(at.timestamp() / 86_400 * 2 * math.pi)
        arrived = int(step * (60 + 30 * swing + random.random() * 15) * (3 if 0.55 < share < 0.6 else 1))
        received += arrived
        applied = min(received - processed, int(step * 150))
        processed += applied
        late = received - processed > 100
        for _ in range(50):
            latency[min(BUCKETS - 1, max(0, int(random.gauss(9 if late else 3, 1.2))))] += max(1, applied // 50)
        if random.random() < 0.05:
            failed, dead = failed + 4, dead + 1
        ready = [random.randint(0, 20), received - processed, random.randint(0, 40), random.randint(0, 4)]
        samples.append(
            Sample(
                step=step,
                slot=slot_of(at, step),
                taken_at=at,
                received=received,
                processed=processed,
                failed=failed,
                latency=list(latency),
                ready=ready,
                waiting=random.randint(0, 8),
                dead=dead,
                oldest_seconds=1,
                workers=2,
                seconds=0.01,
            )
        )
    return samples
