-- The deepest lanes: ready and waiting rows, up to :limit of each in all lanes together, and the oldest ready id.
select lane, sum(ready), sum(waiting), min(oldest) from (
    select lane, count(*) as ready, 0 as waiting, min(id) as oldest from (
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
        limit :'limit'
    ) p group by lane
    union all
    select lane, 0, count(*), null from (
        select p.lane from events_pending p where p.available_at is not null and not p.suspect limit :'limit'
    ) w group by lane
) counted group by lane order by sum(ready) + sum(waiting) desc, lane limit :'lanes'
