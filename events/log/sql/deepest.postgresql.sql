-- The deepest lanes: ready and waiting rows, up to :limit of each in all lanes together, and the oldest ready id.
-- One priority is counted after the other: the limit within keeps the planner from another order.
select lane, sum(ready), sum(waiting), min(oldest) from (
    select lane, count(*) as ready, 0 as waiting, min(id) as oldest from (
        select p.lane, p.id
        from (values (0, :'above0'::bigint), (1, :'above1'::bigint), (2, :'above2'::bigint), (3, :'above3'::bigint))
            above (priority, id)
        cross join lateral (
            select l.id as lane, p.id from events_lane l cross join lateral (
                select p.id from events_pending p
                where p.lane = l.id and p.available_at is null and not p.suspect
                    and p.priority = above.priority and p.id > above.id
                order by p.id
            ) p limit :'limit'
        ) p
        limit :'limit'
    ) p group by lane
    union all
    select lane, 0, count(*), null from (
        select p.lane from events_pending p where p.available_at is not null and not p.suspect limit :'limit'
    ) w group by lane
) counted group by lane order by sum(ready) + sum(waiting) desc, lane limit :'lanes'
