"""What the pipeline page says in words: the worst first, each with what mends it, and nothing that is not so."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from events.admin.pipeline import banner
from events.admin.pipeline.banner import Condition, loss, notices
from events.log.depth import Depth
from events.models import Worker
from events.stats import Figures, Minute
from tests.project.settings_process import ROOT

WORKER = Worker(pk=1, host="worker-1", pid=7)
FAILING = Worker(
    pk=2,
    failing_lanes=[
        {"lane": 9, "times": 3, "seconds": 1.0, "error": "E: brief"},
        {"lane": 4, "times": 40, "seconds": 90.0, "error": "E: long"},
    ],
)
KNOWN: dict[str, Any] = {
    "processed": 9,
    "failed": 0,
    "depth": Depth(),
    "capacity": 100_000,
    "minute": Minute(processed=60, throughput=1.0),
    "busy_seconds": 0.0,
    "available_seconds": 0.0,
    "alive": [WORKER],
    "stalled": [],
    "died_recently": 0,
    "latencies": [],
    "faults": 0,
    "lanes": 64,
}


def figures(**changes: Any) -> Figures:
    return Figures(**{**KNOWN, **changes})


def titles(condition: Condition) -> list[str]:
    return [notice.title for notice in notices(condition)]


def test_a_log_that_is_applied_is_healthy_and_nothing_else_is_said() -> None:
    assert titles(Condition(figures())) == ["Healthy"]


@pytest.mark.parametrize(
    ("condition", "title", "level"),
    [
        (Condition(None), "Database slow", "bad"),
        (Condition(figures(), seconds=1.5), "Database slow", "warning"),
        (Condition(figures(alive=[])), "No worker", "bad"),
        (Condition(figures(stalled=[WORKER])), "Stalled", "bad"),
        (Condition(figures(depth=Depth(pending=80_000))), "Backpressure", "bad"),
        (Condition(figures(depth=Depth(pending=5, oldest={1: 61.0}))), "Behind", "warning"),
        (Condition(figures(depth=Depth(dead=5)), died=2), "Dead letters growing", "warning"),
        (Condition(figures(faults=2)), "Faults in the log", "bad"),
        (Condition(figures(died_recently=1)), "A worker died", "warning"),
        (Condition(figures(alive=[WORKER, FAILING])), "Lanes failing", "warning"),
    ],
)
def test_each_trouble_is_the_headline_with_its_meaning_and_what_mends_it(
    condition: Condition, title: str, level: str
) -> None:
    first = notices(condition)[0]
    assert (first.title, first.level) == (title, level)
    assert first.meaning and first.mend


@pytest.mark.parametrize(
    ("depth", "title"), [(Depth(dead=5), "Dead letters"), (Depth(pending=3, waiting=3), "Waiting")]
)
def test_what_needs_nobody_at_night_does_not_hide_that_all_is_well(depth: Depth, title: str) -> None:
    assert titles(Condition(figures(depth=depth))) == ["Healthy", title]


def test_the_worst_comes_first_whatever_comes_together() -> None:
    rank = {"bad": 0, "warning": 1, "good": 2, "note": 3}
    depths = [Depth(), Depth(pending=90_000, waiting=9, dead=9, oldest={1: 99.0})]
    for alive, stalled, depth, died, killed, seconds in product(
        ([], [WORKER]), ([], [WORKER]), depths, (0, 9), (0, 1), (0.1, 9.0)
    ):
        now = figures(alive=alive, stalled=stalled, depth=depth, died_recently=killed)
        levels = [rank[notice.level] for notice in notices(Condition(now, died, seconds))]
        assert levels == sorted(levels)
        assert (levels[0] == 2) == (
            not died and not killed and bool(alive) and not stalled and not depth.pending and seconds < 1
        )


def test_failing_lanes_are_named_with_the_error_that_has_lasted_longest() -> None:
    meaning = notices(Condition(figures(alive=[WORKER, FAILING])))[0].meaning
    assert "lanes 4, 9 keep failing, for 90 s: E: long." in meaning


def test_counts_that_ended_at_their_limit_say_so() -> None:
    backpressure = notices(Condition(figures(depth=Depth(pending=100_001))))[0]
    assert "100,000+ events are pending" in backpressure.meaning


def test_no_event_is_lost_and_under_backpressure_it_says_what_becomes_of_the_refused() -> None:
    assert loss(Condition(figures())).title == "No event is being lost."
    assert "its sender keeps it" in loss(Condition(figures(depth=Depth(pending=90_000)))).meaning
    assert "answered 503" in loss(Condition(None)).meaning


def test_where_the_database_may_lose_what_it_confirmed_the_page_does_not_say_that_nothing_is_lost() -> None:
    told = loss(Condition(figures(), not_durable=("fsync",)))
    assert (told.level, told.title) == ("bad", "Events can be lost")
    assert "fsync" in told.meaning


def test_where_the_audit_found_faults_the_page_does_not_say_that_nothing_is_lost() -> None:
    assert loss(Condition(figures(faults=1))).level == "bad"


def test_the_operators_document_explains_every_notice() -> None:
    source, document = Path(banner.__file__).read_text(), (ROOT / "docs/operations/admin.md").read_text()
    titles = re.findall(r'Notice\(\s*"(?:bad|warning|note|good)",\s*"([^"]+)"', source)
    named = set(titles) - {"No event is being lost."}
    assert len(named) >= 9
    assert [title for title in sorted(named) if f"*{title}*" not in document] == []
