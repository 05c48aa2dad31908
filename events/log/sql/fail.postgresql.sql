-- Record failed attempts, a JSON array of {key, id, wait, kind, message, text, trace, reason}: an event is tried again
-- in `wait` seconds, or becomes a dead letter where that is null. Of an event's attempts the newest 20 stay.
-- `offset 0` keeps key and id together: statistics of an empty log would let the id alone walk the index of both.
with item as materialized (
    select * from json_to_recordset(:'document'::json) as item (
        key bigint, id bigint, wait float8, kind text, message text, text text, trace text, reason text
    )
), retried as (
    update events_pending p set attempts = p.attempts + 1,
        available_at = clock_timestamp() + item.wait * interval '1 second'
    from item
    where p.key = item.key and p.id = item.id and item.wait is not null
    returning p.id, p.attempts
), gone as (
    delete from events_pending p using item
    where p.key = item.key and p.id = item.id and item.wait is null
    returning p.key, p.id, (p.attempts + 1)::smallint as attempts
), dead as (
    insert into events_dead_letter (id, event_type, did, reason, error, attempts, died_at, note)
    select e.id, e.event_type, e.did, item.reason, item.text, gone.attempts, clock_timestamp(), ''
    from gone join item on item.id = gone.id
    cross join lateral (select * from events_event e where e.key = gone.key and e.id = gone.id offset 0) e
), failed as (
    select id, attempts from retried union all select id, attempts from gone
), forgotten as (
    delete from events_attempt a using failed
    where a.event_id = failed.id and a.id <= (
        select b.id from events_attempt b where b.event_id = failed.id order by b.id desc offset 19 limit 1)
)
insert into events_attempt (event_id, number, at, worker, kind, message, trace)
select failed.id, failed.attempts, clock_timestamp(), :'worker', item.kind, item.message, item.trace
from failed join item on item.id = failed.id
