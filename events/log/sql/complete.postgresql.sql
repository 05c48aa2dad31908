-- Complete a batch: delete its pending rows, record it, and count it in the tally of a lane that is locked.
-- By ctid, which finds a row without an index, and by id, because a ctid may be another row's by now; `is true` keeps the
-- plan from finding the ids by a walk over the whole primary key. Fewer rows than ids: one was changed after it was
-- fetched. No batch's row spans 100,000 ids, so that a look-up reads a bounded range. The tally's row is locked after the
-- pending rows: what is not read by the rest of a statement runs after it.
with counted as (
    insert into events_tally as tally (lane, processed, failed) values (:'lane', :'processed', :'failed')
    on conflict (lane) do update
    set processed = tally.processed + excluded.processed, failed = tally.failed + excluded.failed
), gone as (
    delete from events_pending where ctid = any(:'places'::tid[]) and (id = any(:'ids'::bigint[])) is true returning id
), batch as (
    insert into events_batch (last_id, first_id, finished_at, worker, ids)
    select max(id), min(id), clock_timestamp(), :'worker', case when count(*) > 1 then array_agg(id) end
    from gone group by id / 100000
)
select count(*), (date_part('epoch', clock_timestamp()) * 1000000)::bigint from gone
