"""The history: one sample a slot whoever takes it, folded to the same whoever folds it, gaps told as gaps."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from model_bakery import baker

from events.history import keeping
from events.history.folding import fold, slot_of
from events.history.keeping import COARSE, COARSE_KEPT, FINE, FINE_KEPT, Keeping
from events.history.series import BROKEN, WINDOWS, History, differences, read
from events.latency import BUCKETS
from events.models import Event, Latency, Sample, Tally
from tests.events.states import dead, pending

GAUGES = ("waiting", "dead", "workers", "oldest_seconds", "seconds")
START = datetime(2026, 11, 23, tzinfo=UTC)


def at(second: float, step: int = FINE, **fields: Any) -> Sample:
    moment = START + timedelta(seconds=second)
    known: dict[str, Any] = {"latency": [0] * BUCKETS, "ready": [0, 0, 0, 0]}
    return Sample(step=step, slot=slot_of(moment, step), taken_at=moment, **{**known, **fields})


def content(samples: Any) -> list[dict[str, Any]]:
    names = [field.attname for field in Sample._meta.concrete_fields if field.attname != "id"]
    return [{name: getattr(sample, name) for name in names} for sample in samples]


@st.composite
def histories(draw: st.DrawFn) -> list[Sample]:
    """Fine samples in the order of time, with gaps; counters grow, gauges do as they like."""
    samples, second, processed = [], 0, 0
    for slots in draw(st.lists(st.sampled_from([1, 1, 1, 2, 7, 40, 100]), max_size=60)):
        second += slots * FINE
        processed += draw(st.integers(0, 50))
        gauges = {name: draw(st.integers(0, 100)) for name in GAUGES}
        ready = draw(st.lists(st.integers(0, 9), min_size=4, max_size=4))
        samples.append(at(second, processed=processed, ready=ready, latency=[processed] + [0] * 23, **gauges))
    return samples


@given(histories(), st.integers(0, 60))
def test_folding_in_two_goes_is_folding_in_one(samples: list[Sample], cut: int) -> None:
    slots = sorted({slot_of(sample.taken_at, COARSE) for sample in samples})
    border = slots[min(cut, len(slots) - 1)] if slots else 0
    first = [sample for sample in samples if slot_of(sample.taken_at, COARSE) < border]
    rest = samples[len(first) :]
    assert content([*fold(first, COARSE), *fold(rest, COARSE)]) == content(fold(samples, COARSE))


@given(histories())
def test_folding_what_is_folded_changes_nothing_and_by_way_of_a_middle_step_neither(samples: list[Sample]) -> None:
    once = list(fold(samples, COARSE))
    assert content(fold(once, COARSE)) == content(once)
    assert content(fold(fold(samples, 60), COARSE)) == content(once)


@given(histories())
def test_a_slot_keeps_the_last_counters_and_the_worst_gauges(samples: list[Sample]) -> None:
    for coarse in fold(samples, COARSE):
        mine = [sample for sample in samples if slot_of(sample.taken_at, COARSE) == coarse.slot]
        assert (coarse.processed, coarse.taken_at) == (mine[-1].processed, mine[-1].taken_at)
        for name in ("waiting", "dead", "oldest_seconds", "seconds"):
            assert getattr(coarse, name) == max(getattr(sample, name) for sample in mine)
        assert coarse.ready == [max(sample.ready[n] for sample in mine) for n in range(4)]
        assert coarse.workers == min(sample.workers for sample in mine)


@given(histories())
def test_rates_add_up_to_what_was_counted_between_gaps_and_gaps_have_none(samples: list[Sample]) -> None:
    rates = History(samples, FINE).rate(lambda sample: sample.processed)
    assert len(rates) == len(samples)
    for before, sample, (moment, rate) in zip([None, *samples], samples, rates, strict=False):
        seconds = (sample.taken_at - before.taken_at).total_seconds() if before else 0
        if before is None or seconds > BROKEN * FINE:
            assert rate is None
        else:
            assert rate is not None
            assert rate * seconds == pytest.approx(sample.processed - before.processed)
        assert moment == sample.taken_at


@given(histories())
def test_no_line_leads_over_a_gap(samples: list[Sample]) -> None:
    points = History(samples, FINE).gauge(lambda sample: sample.dead)
    for (earlier, value), (later, next_value) in pairwise(points):
        assert earlier < later
        if value is not None and next_value is not None:
            assert (later - earlier).total_seconds() <= BROKEN * FINE
    assert [value for _, value in points if value is not None] == [sample.dead for sample in samples]


def test_a_counter_that_was_begun_anew_makes_no_negative_rate() -> None:
    history = History([at(0, processed=100), at(10, processed=3), at(20, processed=13)], FINE)
    assert [rate for _, rate in history.rate(lambda sample: sample.processed)] == [None, None, 1.0]
    assert differences([5, 5], [6, 4]) is None


def test_latencies_of_a_slot_are_those_of_the_events_done_in_it() -> None:
    slow, then_quick = [0] * BUCKETS, [0] * BUCKETS
    slow[12] = then_quick[12] = 1_000
    then_quick[3] = 10
    history = History([at(0, latency=slow), at(10, latency=then_quick), at(20, latency=then_quick)], FINE)
    assert [seconds for _, seconds in history.latency(0.99)] == [None, pytest.approx(0.01, abs=0.005), None]


@pytest.mark.django_db
def test_a_sample_says_what_the_log_says() -> None:
    moment = timezone.now() - timedelta(seconds=90)
    baker.make(Event, _quantity=3, priority=2, received_at=moment)
    pending(available_at=timezone.now() + timedelta(hours=1))
    letter = dead()
    Tally.objects.create(lane=1, processed=7, failed=2)
    Latency.objects.add({("a", 1, 3): (5, 0), ("b", 1, 3): (2, 0)})
    assert Keeping().keep()
    sample = Sample.objects.get()
    assert (sample.ready, sample.waiting, sample.dead) == ([0, 0, 3, 0], 1, 1)
    assert (sample.processed, sample.failed, sample.received) == (7, 2, letter.pk)
    assert (sample.latency[3], sum(sample.latency)) == (7, 7)
    assert sample.oldest_seconds == pytest.approx(90, abs=10)


@pytest.mark.django_db
def test_a_slot_is_filled_once_and_the_figures_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "database_now", lambda: START)
    assert [Keeping().keep() for _ in range(3)] == [True, False, False]
    assert Sample.objects.count() == 1


@pytest.mark.django_db
def test_received_does_not_fall_when_the_log_is_pruned_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    highest = baker.make(Event).pk
    for second in (0, 10):
        monkeypatch.setattr(keeping, "database_now", lambda second=second: START + timedelta(seconds=second))
        Keeping().keep()
        Event.objects.all().delete()
    assert list(Sample.objects.values_list("received", flat=True)) == [highest, highest]


@pytest.mark.django_db
def test_the_table_stays_small_and_what_was_not_folded_in_time_is_folded_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold that never happened (every worker was killed before it) is made up for from the fine samples."""
    Sample.objects.bulk_create(at(-second, processed=9_999_999 - second) for second in range(0, FINE_KEPT + 600, FINE))
    Sample.objects.bulk_create(at(-second, COARSE) for second in (COARSE_KEPT - COARSE, COARSE_KEPT + COARSE))
    monkeypatch.setattr(keeping, "database_now", lambda: START + timedelta(seconds=FINE))
    Keeping().keep()
    fine, coarse = Sample.objects.filter(step=FINE), Sample.objects.filter(step=COARSE)
    assert fine.count() == FINE_KEPT // FINE + 1
    assert coarse.count() == (FINE_KEPT + 600) // COARSE + 1
    before = content(coarse.order_by("slot"))
    coarse.filter(slot__gt=slot_of(START, COARSE) - 20).delete()
    Keeping().fold(START)
    assert content(coarse.order_by("slot")) == before


@pytest.mark.django_db
def test_a_clock_that_is_set_back_ends_neither_sampling_nor_folding(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = START
    monkeypatch.setattr(keeping, "database_now", lambda: moment)
    for step in range(3 * COARSE // FINE):
        moment = START + timedelta(days=1, seconds=step * FINE)
        assert Keeping().keep()
    coarse = Sample.objects.filter(step=COARSE)
    assert coarse.exists()
    for step in range(2 * COARSE // FINE):
        moment = START + timedelta(seconds=step * FINE)
        assert Keeping().keep()
    assert Sample.objects.latest("taken_at").taken_at == moment
    assert [sample.slot for sample in coarse] == [slot_of(START, COARSE)]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_that_keep_at_once_leave_what_one_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    Sample.objects.bulk_create(at(-second, processed=9_999 - second) for second in range(FINE, 3_000, FINE))
    monkeypatch.setattr(keeping, "database_now", lambda: START)
    both_have_looked = threading.Barrier(3, timeout=20)
    figures = keeping.stats.figures
    failures: list[BaseException] = []

    def together(**options: Any) -> Any:
        both_have_looked.wait()
        return figures(**options)

    def keep() -> None:
        try:
            Keeping().keep()
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    monkeypatch.setattr(keeping.stats, "figures", together)
    threads = [threading.Thread(target=keep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert Sample.objects.filter(step=FINE, slot=slot_of(START, FINE)).count() == 1
    assert Sample.objects.filter(step=COARSE).count() == 10


@pytest.mark.django_db
@pytest.mark.parametrize("name", WINDOWS)
def test_each_window_is_read_along_the_index_and_ends_with_the_newest_sample(name: str) -> None:
    window = WINDOWS[name]
    Sample.objects.bulk_create(at(-second, window.source) for second in range(0, 2 * window.length, window.source))
    newest = at(5, processed=1)
    Sample.objects.bulk_create([newest], ignore_conflicts=True)
    history = read(window, START + timedelta(seconds=6))
    assert history.samples[-1].taken_at in (newest.taken_at, START)
    assert window.length / window.step <= len(history.samples) <= window.length / window.step + 3
    with connection.cursor() as cursor:
        explain = "explain query plan" if connection.vendor == "sqlite" else "explain"
        if connection.vendor == "postgresql":
            cursor.execute("analyze events_sample")
        query = Sample.objects.filter(step=window.source, slot__gte=slot_of(START, window.source) - 100)
        statement, parameters = query.order_by("slot").query.sql_with_params()
        cursor.execute(f"{explain} {statement}", parameters)
        plan = str(cursor.fetchall())
    assert "events_sample_slot" in plan or "sqlite_autoindex" in plan, plan
