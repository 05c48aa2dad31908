"""The history of real workers: one sample a slot however many there are, and on with it when one is killed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from events.history.keeping import FINE
from events.models import Sample
from tests.integration.conftest import WorkerProcess, append, event, eventually


@pytest.mark.proof
def test_each_slot_has_one_sample_and_the_survivor_goes_on(start: Callable[..., WorkerProcess]) -> None:
    append([event(n, f"did:plc:{n}") for n in range(50)])
    workers = [start("--workers", "1") for _ in range(3)]
    for least in (1, 2, 3):
        eventually(lambda least=least: Sample.objects.count() >= least, within=3 * FINE)  # type: ignore[misc]
        if least < 3:
            workers[least].kill()
    samples = list(Sample.objects.filter(step=FINE).order_by("slot"))
    assert len({sample.slot for sample in samples}) == len(samples) >= 3
    assert samples[-1].slot - samples[0].slot == len(samples) - 1
    assert samples[-1].processed == 50
