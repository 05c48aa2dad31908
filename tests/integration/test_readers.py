"""Readers that ask the cache while a worker applies events never get what the tables said before an applied batch."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

import events
from events.worker.batch import BatchRequest, run_batch
from rhiz.graph import conviction, upsert
from rhiz.graph.conviction import Opinion
from rhiz.graph.rows import AttestationRow, RelationshipRow, Row
from rhiz.graph.synthetic import Mix
from rhiz.graph.synthetic import events as synthetic
from tests.integration.conftest import ROOT, database_url, eventually
from tests.integration.reader import AS_OF, END, EVENTS_OFF, EVENTS_ON, LIMIT, NAMESPACES, Fence, digest

pytestmark = [pytest.mark.proof, pytest.mark.postgresql, pytest.mark.redis, pytest.mark.django_db(transaction=True)]
READERS = 2
QUIET = 10.0  # seconds
REAL = Path(os.environ.get("RHIZ_SHARED_DATA", ROOT.parent / "shared" / "data")) / "alpha-events.jsonl.gz"


class History:
    """One thing that is told, as it was after each step that changed it."""

    def __init__(self, first: Any) -> None:
        self._states = [(0, first)]

    def add(self, step: int, state: Any) -> None:
        self._states.append((step, state))

    def allows(self, told: Any, began: int, ended: int) -> bool:
        """Whether it may be told by who asked when `began` steps had returned and was answered when `ended` had.

        One step more may have committed and not returned.
        """
        at_first = [state for step, state in self._states if step <= began][-1]
        return told == at_first or any(told == state for step, state in self._states if began < step <= ended + 1)


class Truth:
    """Pages and scores after each step, computed from the rows that the steps wrote."""

    def __init__(self) -> None:
        self.pages: dict[str, History] = defaultdict(lambda: History(digest([])))
        self.scores: dict[str, History] = defaultdict(lambda: History(0))
        self._rows: dict[str, Row] = {}
        self._by_did: dict[str, set[str]] = defaultdict(set)
        self._by_target: dict[str, set[str]] = defaultdict(set)

    def apply(self, step: int, rows: Iterable[Row]) -> None:
        """Take the rows of a step in."""
        dids: set[str] = set()
        targets: set[str] = set()
        for row in rows:
            old = self._rows.get(row.key)
            if old is not None and (old.version, old.event) >= (row.version, row.event):
                continue
            self._rows[row.key] = row
            for each, held in ((old, False), (row, not row.deleted)):
                if isinstance(each, RelationshipRow):
                    dids |= _place(self._by_did, (each.participant_a, each.participant_b), row.key, held)
                elif isinstance(each, AttestationRow):
                    targets |= _place(self._by_target, (each.target_uri,), row.key, held)
        for did in dids:
            self.pages[did].add(step, digest(self._page(did)))
        for target in targets:
            self.scores[target].add(step, self._score(target))

    def _page(self, did: str) -> Iterator[tuple[str, str, int]]:
        for key in sorted(self._by_did[did])[:LIMIT]:
            row = self._rows[key]
            assert isinstance(row, RelationshipRow)
            other = row.participant_b if row.participant_a == did else row.participant_a
            yield row.uri, other, row.strength

    def _score(self, uri: str) -> int:
        made = [row for key in self._by_target[uri] if isinstance(row := self._rows[key], AttestationRow)]
        ordered = sorted(made, key=lambda row: row.uri)
        opinions = [Opinion(row.attestation_type, row.confidence, row.created_at) for row in ordered if row.created_at]
        return conviction.score(opinions, AS_OF)


def _place(places: dict[str, set[str]], names: Iterable[str], key: str, held: bool) -> set[str]:
    """Put `key` under `names`, or take it away; the names."""
    for name in names:
        (places[name].add if held else places[name].discard)(key)
    return set(names) - {""}


def network(name: str) -> list[dict[str, Any]]:
    if name == "synthetic":
        return list(synthetic(7, 12_000, 1_500, Mix()))
    with gzip.open(REAL, "rt") as lines:
        return [json.loads(line) for line in lines]


def most_active(items: list[dict[str, Any]]) -> list[str]:
    """The DIDs that take part in relationships, those with the most first."""
    counts: Counter[str] = Counter()
    for item in items:
        counts.update(item["payload"].get("participants") or ())
    return [did for did, _ in counts.most_common()]


def fresh(truth: Truth, answer: dict[str, Any]) -> bool:
    """Whether each part of an answer was true at some time between its question and its arrival."""
    between = answer["began"], answer["ended"]
    return truth.pages[answer["did"]].allows(answer["page"], *between) and all(
        truth.scores[uri].allows(score, *between) for uri, score in answer["scores"].items()
    )


@contextmanager
def readers(directory: Path) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Reading processes; calling what this yields waits for their end and gives all that they said."""
    environment: dict[str, str] = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "READER_PREFIX": str(settings.CACHES["default"]["KEY_PREFIX"]),
    }
    outputs = [directory / f"reader{number}" for number in range(READERS)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.integration.reader", str(directory)],
            cwd=ROOT,
            env={**environment, "READER_SEED": str(number)},
            stdout=output.open("wb"),
        )
        for number, output in enumerate(outputs)
    ]

    def answers() -> list[dict[str, Any]]:
        assert [process.wait(60) for process in processes] == [0] * READERS
        return [json.loads(line) for output in outputs for line in output.read_text().splitlines()]

    try:
        eventually(lambda: all(output.stat().st_size for output in outputs), within=60, what="readers read")
        yield answers
    finally:
        for process in processes:
            process.kill()
            process.wait()


def quiet(fence: Fence, steps: int) -> None:
    """Let the readers go on for a while without events, then end them."""
    fence.write(steps, EVENTS_OFF)
    time.sleep(QUIET)  # it is what is measured, not waited for
    fence.write(steps, END)


def rates(counted: list[dict[str, Any]]) -> str:
    """The hit rates of a phase, all readers together."""
    told = []
    for group in (*((name,) for name in NAMESPACES), NAMESPACES):
        hits, misses = (sum(each[kind][name] for each in counted for name in group) for kind in ("hits", "misses"))
        told.append(f"{' and '.join(group)} {hits / max(hits + misses, 1):.1%} of {hits + misses}")
    return ", ".join(told)


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(
    "name",
    [
        "synthetic",
        pytest.param("real", marks=pytest.mark.skipif(not REAL.exists(), reason="extra: real records")),
    ],
)
def test_no_reader_is_told_what_was_true_before_a_batch_that_was_applied(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = network(name)
    for start in range(0, len(items), 500):
        events.append(items[start : start + 500])
    (tmp_path / "dids").write_text("\n".join(most_active(items)))
    fence = Fence(tmp_path / "fence")

    written: list[Row] = []
    write = upsert.write

    def noting(model: Any, rows: Iterable[Row], told: tuple[str, ...] = ()) -> Any:
        rows = list(rows)
        written.extend(rows)
        return write(model, rows, told)

    monkeypatch.setattr(upsert, "write", noting)
    steps: list[list[Row]] = []
    with readers(tmp_path) as answers:
        while run_batch(BatchRequest(share=64, limit=300)).read:
            steps.append(written.copy())
            written.clear()
            fence.write(len(steps), EVENTS_ON)
        quiet(fence, len(steps))
        told = answers()

    truth = Truth()
    for number, rows in enumerate(steps, start=1):
        truth.apply(number, rows)
    asked = [answer for answer in told if "did" in answer]
    stale = [answer for answer in asked if not fresh(truth, answer)]
    during = sum(0 < answer["began"] < len(steps) for answer in asked)
    print(f"\n{name}: {len(items)} events in {len(steps)} steps, {len(asked)} answers, {during} of them meanwhile")
    for phase, what in ((EVENTS_ON, "events on"), (EVENTS_OFF, "events off")):
        print(f"  {what}: {rates([answer for answer in told if answer.get('phase') == phase])}")
    assert stale == []
    assert during > 100
