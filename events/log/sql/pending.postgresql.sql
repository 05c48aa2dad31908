-- How many events are pending, counted up to :limit. Ready rows are counted above the low watermarks.
select count(*) from (
    (select 0 as priority, l.id as lane, p.id from events_lane l cross join lateral (
        select p.id from events_pending p
        where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 0 and p.id > :'above0'
        order by p.id
    ) p)
    union all
    (select 1 as priority, l.id as lane, p.id from events_lane l cross join lateral (
        select p.id from events_pending p
        where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 1 and p.id > :'above1'
        order by p.id
    ) p)
    union all
    (select 2 as priority, l.id as lane, p.id from events_lane l cross join lateral (
        select p.id from events_pending p
        where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 2 and p.id > :'above2'
        order by p.id
    ) p)
    union all
    (select 3 as priority, l.id as lane, p.id from events_lane l cross join lateral (
        select p.id from events_pending p
        where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 3 and p.id > :'above3'
        order by p.id
    ) p)
    union all
    select p.priority, p.lane, p.id from events_pending p where p.available_at is not null and not p.suspect
    union all
    select p.priority, p.lane, p.id from events_pending p where p.suspect
    limit :'limit'
) counted
