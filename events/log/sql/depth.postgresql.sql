-- How deep the log is: a name, a priority and a number in each row. No count goes beyond :limit.
with ready as materialized (
    select priority, count(*) as events, min(id) as oldest from (
        (select 0 as priority, p.id from events_lane l cross join lateral (
            select p.id from events_pending p
            where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 0 and p.id > :'above0'
            order by p.id
        ) p)
        union all
        (select 1 as priority, p.id from events_lane l cross join lateral (
            select p.id from events_pending p
            where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 1 and p.id > :'above1'
            order by p.id
        ) p)
        union all
        (select 2 as priority, p.id from events_lane l cross join lateral (
            select p.id from events_pending p
            where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 2 and p.id > :'above2'
            order by p.id
        ) p)
        union all
        (select 3 as priority, p.id from events_lane l cross join lateral (
            select p.id from events_pending p
            where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 3 and p.id > :'above3'
            order by p.id
        ) p)
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
