-- Fetch the next batch of the locked lanes.
-- `head` has the first ready and due rows. Each of them brings the rows of its key that were not brought by one before it,
-- up to itself: an urgent event pulls the earlier ones of its DID forward, and wherever the batch is cut, in number or in
-- bytes, each key's part of it is a prefix. `chosen` is sorted as `puller` is, so the rows of a key are looked up only
-- until there are enough. Ready rows lie above the lowest watermark; rows that are not ready may lie anywhere, and are
-- few. Rows that wait come along: what follows them in their key must not run. With `only`, no other event is read.
with blocked as (
    select exists (select 1 from events_pending p where p.available_at is not null or p.suspect) as any
), head as (
    select item.key, item.id, case when :'by_age'::boolean then 0 else item.priority end as urgency
    from unnest(:'lanes'::smallint[]) as held (lane)
    cross join lateral (
        (select * from (
            (select p.key, p.id, p.priority from events_pending p
             where p.lane = held.lane and p.available_at is null and not p.suspect and p.priority = 3
                and p.id > :'above3' order by p.id limit :'limit')
            union all
            (select p.key, p.id, p.priority from events_pending p
             where p.lane = held.lane and p.available_at is null and not p.suspect and p.priority = 2
                and p.id > :'above2' order by p.id limit :'limit')
            union all
            (select p.key, p.id, p.priority from events_pending p
             where p.lane = held.lane and p.available_at is null and not p.suspect and p.priority = 1
                and p.id > :'above1' order by p.id limit :'limit')
            union all
            (select p.key, p.id, p.priority from events_pending p
             where p.lane = held.lane and p.available_at is null and not p.suspect and p.priority = 0
                and p.id > :'above0' order by p.id limit :'limit')
        ) ready limit case when :'by_age'::boolean then 4 * :'limit'::bigint else :'limit'::bigint end)
        union all
        (select p.key, p.id, p.priority from events_pending p
         where (select b.any from blocked b) and p.lane = held.lane and p.available_at <= statement_timestamp()
            and not p.suspect and p.priority = 3 order by p.available_at limit :'limit')
        union all
        (select p.key, p.id, p.priority from events_pending p
         where (select b.any from blocked b) and p.lane = held.lane and p.available_at <= statement_timestamp()
            and not p.suspect and p.priority = 2 order by p.available_at limit :'limit')
        union all
        (select p.key, p.id, p.priority from events_pending p
         where (select b.any from blocked b) and p.lane = held.lane and p.available_at <= statement_timestamp()
            and not p.suspect and p.priority = 1 order by p.available_at limit :'limit')
        union all
        (select p.key, p.id, p.priority from events_pending p
         where (select b.any from blocked b) and p.lane = held.lane and p.available_at <= statement_timestamp()
            and not p.suspect and p.priority = 0 order by p.available_at limit :'limit')
    ) item
    order by case when :'by_age'::boolean then 0 else -item.priority end, item.id
    limit :'limit'
), puller as (
    select key, id, urgency, coalesce(max(id) over (partition by key order by urgency desc, id
        rows between unbounded preceding and 1 preceding), 0) as previous
    from head
    order by urgency desc, id
), chosen as (
    select item.*, puller.urgency, puller.id as puller
    from puller
    cross join lateral (
        (select p.ctid, p.* from events_pending p
         where p.key = puller.key and p.available_at is null and not p.suspect
            and p.id > greatest(puller.previous, :'lowest') and p.id <= puller.id
         order by p.id limit :'limit')
        union all
        (select p.ctid, p.* from events_pending p
         where (select b.any from blocked b) and p.key = puller.key and (p.available_at is not null or p.suspect)
            and p.id > puller.previous and p.id <= puller.id
         order by p.id limit :'limit')
    ) item
    order by puller.urgency desc, puller.id, item.id
    limit :'limit'
), sized as (
    select c.id, c.key, c.suspect, case when c.available_at > statement_timestamp() then c.available_at end as until,
        c.ctid::text as place, c.attempts, e.event_id, e.event_type, e.did, e.priority, e.payload, e.version, e.rev,
        (extract(epoch from e.occurred_at) * 1000000)::bigint as occurred,
        (date_part('epoch', e.received_at) * 1000000)::bigint as received,
        sum(octet_length(e.payload)) over (order by c.urgency desc, c.puller, c.id
            rows between unbounded preceding and 1 preceding) as bytes_before
    from chosen c
    left join events_event e on e.id = c.id and (:'only'::bigint[] is null or e.id = any(:'only'::bigint[]))
), restore as materialized (
    -- Restore the planner's settings before processors run.
    select set_config('plan_cache_mode', 'auto', true), set_config('enable_seqscan', 'on', true),
        set_config('enable_bitmapscan', 'on', true)
)
select id, key, suspect, until, place, attempts, event_id, event_type, did, priority, payload, version, rev, occurred,
    received
from restore, sized
where coalesce(bytes_before, 0) <= 8000000
