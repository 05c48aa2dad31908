-- By priority, the smallest id of a ready row above the low watermarks.
select 0 as priority, (
    select min(head.id) from events_lane l cross join lateral (
        select p.id from events_pending p
        where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 0 and p.id > :'above0'
        order by p.id limit 1
    ) head
)
union all
select 1 as priority, (
    select min(head.id) from events_lane l cross join lateral (
        select p.id from events_pending p
        where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 1 and p.id > :'above1'
        order by p.id limit 1
    ) head
)
union all
select 2 as priority, (
    select min(head.id) from events_lane l cross join lateral (
        select p.id from events_pending p
        where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 2 and p.id > :'above2'
        order by p.id limit 1
    ) head
)
union all
select 3 as priority, (
    select min(head.id) from events_lane l cross join lateral (
        select p.id from events_pending p
        where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 3 and p.id > :'above3'
        order by p.id limit 1
    ) head
)
