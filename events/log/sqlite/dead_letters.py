"""Move events between pending and dead letters. Each of these is several statements, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from events.log.sqlite.cursor import array, changed, clock, instant, run

GONE_LETTERS = """
delete from events_dead_letter where id in (select value from json_each(:ids)) and discarded_at is null returning id
"""

REQUEUE = """
insert into events_pending (key, id, lane, priority, available_at)
select e.key, e.id, ((e.key % lanes.n) + lanes.n) % lanes.n, e.priority, :now
from json_each(:ids) item cross join events_event e on e.id = item.value,
    (select max(id) + 1 as n from events_lane) lanes
"""

DISCARD = """
update events_dead_letter set discarded_at = :now, note = :note
where id in (select value from json_each(:ids)) and discarded_at is null
"""

GONE_PENDING = """
delete from events_pending where (key, id) in (
    select e.key, e.id from json_each(:ids) item cross join events_event e on e.id = item.value)
returning id, attempts
"""

BURY = """
insert into events_dead_letter (id, event_type, did, reason, error, attempts, died_at, discarded_at, note)
select id, event_type, did, :reason, :error, :attempts, :now, :discarded_at, :note from events_event where id = :id
"""


def requeue(ids: Sequence[int]) -> int:
    """Make dead events pending again, with all their attempts before them; the number that were still dead."""
    with transaction.atomic():
        gone = run(GONE_LETTERS, {"ids": array(ids)})
        return changed(REQUEUE, {"ids": array(id_ for (id_,) in gone), "now": instant(clock())})


def discard(ids: Sequence[int], note: str) -> int:
    """Discard dead events; the number that were still dead."""
    return changed(DISCARD, {"ids": array(ids), "note": note, "now": instant(clock())})


def bury(ids: Sequence[int], *, error: str = "", reason: str = "", discarded: bool = False, note: str = "") -> int:
    """Make dead letters of pending events; the number that were still pending."""
    now = instant(clock())
    row = {"error": error, "reason": reason, "note": note, "now": now, "discarded_at": now if discarded else None}
    with transaction.atomic():
        gone = run(GONE_PENDING, {"ids": array(ids)})
        for id_, attempts in gone:
            changed(BURY, {**row, "id": id_, "attempts": attempts})
    return len(gone)
