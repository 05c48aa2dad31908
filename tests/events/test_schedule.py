"""When a worker's next step runs."""

from __future__ import annotations

import asyncio

import pytest
from django.db import connections

from events.models import Lane, Pending
from events.worker.runner import Runner
from tests.events.states import pending
from tests.recorder.models import Seen


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("dids", [["did:plc:alice"] * 5, [f"did:plc:{n}" for n in range(5)]], ids=["one", "several"])
def test_suspects_run_one_after_another_without_a_poll_between_them(dids: list[str]) -> None:
    Lane.ensure()
    for n, did in enumerate(dids):
        pending(did=did, suspect=True, event_type="test.record", payload={"n": n})

    async def run() -> None:
        worker = Runner(1)
        await worker.threads.run(worker.membership.join)
        worker.schedule.suspects = True
        worker.schedule.wake()  # once: nothing polls here
        while not await worker.schedule.finish(10):
            pass
        await worker.threads.run(connections.close_all)
        worker.watchdog.stop()
        worker.threads.end()

    asyncio.run(run())
    assert not Pending.objects.exists()
    assert sorted(Seen.objects.values_list("number", flat=True)) == [0, 1, 2, 3, 4]
