-- How deep the log is: a name, a priority and a number in each row. No count goes beyond :limit.
-- One priority is counted after the other: the limit within keeps the planner from another order.
with ready as materialized (
    select priority, count(*) as events, min(id) as oldest from (
        select above.priority, p.id
        from (values (0, :'above0'::bigint), (1, :'above1'::bigint), (2, :'above2'::bigint), (3, :'above3'::bigint))
            above (priority, id)
        cross join lateral (
            select p.id from events_lane l cross join lateral (
                select p.id from events_pending p
                where p.lane = l.id and p.available_at is null and not p.suspect
                    and p.priority = above.priority and p.id > above.id
                order by p.id
            ) p limit :'limit'
        ) p
        limit :'limit'
    ) each_one group by priority
)
select 'ready', priority, events from ready
union all
select 'oldest', priority, (
    select extract(epoch from clock_timestamp() - e.received_at) from events_event e where e.id = ready.oldest
) from ready
union all
select case when p.available_at <= clock_timestamp() then 'due' else 'waiting' end, p.priority, count(*)
from (select * from events_pending p where p.available_at is not null and not p.suspect limit :'limit') p group by 1, 2
union all
select 'overdue', p.priority, extract(epoch from clock_timestamp() - min(p.available_at))
from (select * from events_pending p where p.available_at is not null and not p.suspect limit :'limit') p
group by p.priority
union all
select 'suspects', 0, count(*) from (select 1 from events_pending p where p.suspect limit :'limit') counted
union all
select 'dead', 0, count(*) from (select 1 from events_dead_letter where discarded_at is null limit :'limit') counted
