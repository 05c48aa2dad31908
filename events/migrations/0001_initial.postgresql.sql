-- What models can't express.

-- An id is drawn after its transaction has an xid: the workers' low watermarks rely on it, and nextval() alone gives a
-- transaction one only every 32nd call. The identity's sequence is made anew under its own name.
alter table events_event alter column id drop identity;
create sequence events_event_id_seq as bigint owned by events_event.id;
alter table events_event alter column id
    set default case when pg_current_xact_id() is not null then nextval('events_event_id_seq') end;

-- Rows come and go: vacuum often, at full speed, and without the lock that truncation takes.
alter table events_pending set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = off
);

-- Compare DIDs by their bytes: a locale's comparison makes an index probe several times slower.
alter table events_dead_letter alter column did type varchar(2048) collate "C";

-- The state of each event. No batch spans 100000 ids, so the look-up reads a bounded range. The kind of attempt that is left out is events.worker.quarantine.STRIKE.
create view events_state as
select e.id,
    case when p.id is not null then 0 when d.discarded_at is not null then 3 when d.id is not null then 2
        when b.last_id is not null then 1 else 4 end as state,
    coalesce(p.lane, ((e.key % lanes.n) + lanes.n) % lanes.n) as lane,
    case when p.id is not null then p.attempts when d.id is not null then d.attempts
        when b.last_id is not null then 1 + (
            select count(*) from events_attempt a where a.event_id = e.id and a.kind <> 'worker process died or hung'
        ) else 0 end as attempts,
    coalesce(p.crashes, 0) as crashes,
    coalesce(p.suspect, false) as suspect,
    p.available_at,
    coalesce(d.discarded_at, d.died_at, b.finished_at) as finished_at,
    coalesce(b.worker, '') as worker,
    coalesce(d.error, case when p.attempts > 0 then (
        select a.kind || ': ' || a.message from events_attempt a where a.event_id = e.id order by a.id desc limit 1
    ) end, '') as error,
    coalesce(d.reason, '') as reason,
    coalesce(d.note, '') as note
from (select max(id) + 1 as n from events_lane) lanes
cross join events_event e
left join events_pending p on p.key = e.key and p.id = e.id
left join events_dead_letter d on d.id = e.id
left join lateral (
    select c.* from events_batch c
    where p.id is null and d.id is null
        and c.last_id >= e.id and c.last_id < e.id + 100000 and c.first_id <= e.id
        and e.id = any(coalesce(c.ids, array[c.last_id]))
    order by c.last_id limit 1
) b on true
