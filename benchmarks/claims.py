"""A process that claims batches from a deep log and lets them go again: the cost of finding work, by itself.

    python -m benchmarks.claims COUNT

prints the seconds of each claim: of one lane, as a worker with much to do takes it.
"""

from __future__ import annotations

import json
import sys
import time

import django


def claim(count: int) -> None:
    from events.conf import conf
    from events.models import Lane
    from events.worker.batch import Take, peek
    from events.worker.floors import NONE

    Lane.ensure()
    took = []
    for _ in range(count):
        start = time.perf_counter()
        claimed = peek(Take(share=1, limit=conf.batch_size), NONE)
        took.append(time.perf_counter() - start)
        if not claimed.read:
            raise SystemExit("nothing to claim")
    print(json.dumps(took))


if __name__ == "__main__":
    django.setup()
    claim(int(sys.argv[1]))
