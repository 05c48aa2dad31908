-- How deep the log is: a name, a priority and a number in each row. No count goes beyond :limit.
-- Rows are counted lane by lane and the oldest are looked up in each: the limits within keep the planner from another order.
-- Only the primary key gives the order of the event's look-up: statistics of an empty log would make another index look as
-- cheap, which is then read as a whole.
select 'ready', above.priority, count(*)
from (values (0, :'above0'::bigint), (1, :'above1'::bigint), (2, :'above2'::bigint), (3, :'above3'::bigint))
    above (priority, id)
cross join lateral (
    select from events_lane l cross join lateral (
        select p.id from events_pending p
        where p.lane = l.id and p.available_at is null and not p.suspect
            and p.priority = above.priority and p.id > above.id
        order by p.id
    ) p limit :'limit'
) counted group by above.priority
union all
select 'oldest', head.priority, (
    select extract(epoch from clock_timestamp() - e.received_at) from events_event e where e.id >= head.id
    order by e.id limit 1
) from (
    select above.priority, min(p.id) as id
    from (values (0, :'above0'::bigint), (1, :'above1'::bigint), (2, :'above2'::bigint), (3, :'above3'::bigint))
        above (priority, id)
    cross join events_lane l
    cross join lateral (
        select p.id from events_pending p
        where p.lane = l.id and p.available_at is null and not p.suspect
            and p.priority = above.priority and p.id > above.id
        order by p.id limit 1
    ) p group by above.priority
) head
union all
select case when p.available_at <= clock_timestamp() then 'due' else 'waiting' end, p.priority, count(*)
from (select * from events_pending p where p.available_at is not null and not p.suspect limit :'limit') p group by 1, 2
union all
select 'overdue', each.priority, extract(epoch from clock_timestamp() - min(p.available_at))
from (values (0), (1), (2), (3)) each (priority)
cross join events_lane l
cross join lateral (
    select p.available_at from events_pending p
    where p.lane = l.id and p.available_at is not null and not p.suspect and p.priority = each.priority
    order by p.available_at limit 1
) p group by each.priority
union all
select 'suspects', 0, count(*) from (select 1 from events_pending p where p.suspect limit :'limit') counted
union all
select 'dead', 0, count(*) from (select 1 from events_dead_letter where discarded_at is null limit :'limit') counted
