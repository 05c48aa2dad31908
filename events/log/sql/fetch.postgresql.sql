-- Fetch the next batch of the locked lanes.
-- `head` has the first ready and due rows. Per key, a batch holds every pending row up to the last that was chosen
-- (`prefix`): an urgent event pulls the earlier ones of its DID forward. Ready rows lie above the lowest watermark; rows
-- that are not ready may lie anywhere, and are few. `urgency` is the highest priority of an event or of any later one of
-- its key, so cutting by it, in number and in bytes, leaves each key a prefix; a prefix that was cut itself may lack the
-- urgent event that its key was chosen for. Rows that wait come along: what follows them in their key must not run.
-- With `only`, no other event is read.
with due as (
    select exists (select 1 from events_pending p where p.available_at is not null and not p.suspect) as waiting
), head as (
    select item.key, item.id, item.priority
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
         where (select waiting from due) and p.lane = held.lane and p.available_at <= statement_timestamp() and not p.suspect
            and p.priority = 3 order by p.available_at limit :'limit')
        union all
        (select p.key, p.id, p.priority from events_pending p
         where (select waiting from due) and p.lane = held.lane and p.available_at <= statement_timestamp() and not p.suspect
            and p.priority = 2 order by p.available_at limit :'limit')
        union all
        (select p.key, p.id, p.priority from events_pending p
         where (select waiting from due) and p.lane = held.lane and p.available_at <= statement_timestamp() and not p.suspect
            and p.priority = 1 order by p.available_at limit :'limit')
        union all
        (select p.key, p.id, p.priority from events_pending p
         where (select waiting from due) and p.lane = held.lane and p.available_at <= statement_timestamp() and not p.suspect
            and p.priority = 0 order by p.available_at limit :'limit')
    ) item
    order by case when :'by_age'::boolean then 0 else -item.priority end, item.id
    limit :'limit'
), top as (
    select key, max(id) as id, max(priority) as priority from head group by key
), prefix as (
    select item.*, case when :'by_age'::boolean then 0 else greatest(
            max(item.priority) over (partition by item.key order by item.id desc),
            case when first_value(item.id) over (partition by item.key order by item.id desc) < top.id
                then top.priority else 0 end
        ) end as urgency
    from top
    cross join lateral (
        select * from (
            (select p.ctid, p.* from events_pending p
             where p.key = top.key and p.available_at is null and not p.suspect and p.id > :'lowest' and p.id <= top.id
             order by p.id limit :'limit')
            union all
            (select p.ctid, p.* from events_pending p
             where p.key = top.key and (p.available_at is not null or p.suspect) and p.id <= top.id
             order by p.id limit :'limit')
        ) both_kinds order by id limit :'limit'
    ) item
), chosen as (
    select * from prefix order by urgency desc, id limit :'limit'
), sized as (
    select c.id, c.key, c.suspect, case when c.available_at > statement_timestamp() then c.available_at end as until,
        c.ctid::text as place, c.attempts, e.event_id, e.event_type, e.did, e.priority, e.payload, e.version, e.rev,
        (extract(epoch from e.occurred_at) * 1000000)::bigint as occurred,
        (date_part('epoch', e.received_at) * 1000000)::bigint as received,
        sum(octet_length(e.payload)) over by_urgency as bytes, row_number() over by_urgency as number
    from chosen c
    left join events_event e on e.id = c.id and (:'only'::bigint[] is null or e.id = any(:'only'::bigint[]))
    window by_urgency as (order by c.urgency desc, c.id)
), restore as materialized (
    -- The planner's freedom, for the processors' statements.
    select set_config('plan_cache_mode', 'auto', true), set_config('enable_seqscan', 'on', true),
        set_config('enable_bitmapscan', 'on', true)
)
select id, key, suspect, until, place, attempts, event_id, event_type, did, priority, payload, version, rev, occurred,
    received
from restore, sized
where coalesce(bytes, 0) <= 8000000 or number = 1
