-- The deepest lanes: ready and waiting rows, up to :limit of each in all lanes together, and the oldest ready id.
select lane, sum(ready), sum(waiting), min(oldest) from (
    select lane, count(*) as ready, 0 as waiting, min(id) as oldest from (
        select p.lane, p.id from events_pending p indexed by events_ready
        where p.available_at is null and not p.suspect limit :limit
    ) r group by lane
    union all
    select lane, 0, count(*), null from (
        select p.lane from events_pending p indexed by events_due
        where p.available_at is not null and not p.suspect limit :limit
    ) w group by lane
) counted group by lane order by sum(ready) + sum(waiting) desc, lane limit :lanes
