-- Events that failed and wait for their next attempt, one a key, and how many events of the key are pending.
-- What waits and never failed stands behind one that did.
select min(w.id), w.key, (
    select count(*) from (select 1 from events_pending b where b.key = w.key limit :behind) counted)
from (
    select p.id, p.key, p.attempts from events_pending p indexed by events_blocked
    where p.available_at is not null or p.suspect limit :look
) w
where w.attempts > 0 group by w.key order by min(w.id) limit :blockers
