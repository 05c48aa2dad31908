"""A process that chooses batches from a deep log without applying them: the cost of finding work, by itself.

    python -m benchmarks.claims COUNT

prints the seconds that each took: of one lane, as a worker in a deep log chooses it.
"""

from __future__ import annotations

import json
import sys
import time

import django


def claim(count: int) -> None:
    from events.conf import conf
    from events.worker.batch import BatchRequest, peek_batch

    took = []
    for _ in range(count):
        start = time.perf_counter()
        claimed = peek_batch(BatchRequest(share=1, limit=conf.batch_size))
        took.append(time.perf_counter() - start)
        if not claimed.read:
            raise SystemExit("nothing to claim")
    print(json.dumps(took))


if __name__ == "__main__":
    django.setup()
    claim(int(sys.argv[1]))
