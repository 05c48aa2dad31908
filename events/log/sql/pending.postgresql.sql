-- How many events are pending, counted up to :limit. Ready rows are counted above the low watermarks.
-- One priority is counted after the other: the limit within keeps the planner from another order.
select count(*) from (
    select p.id
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
    union all
    select p.id from events_pending p where p.available_at is not null and not p.suspect
    union all
    select p.id from events_pending p where p.suspect
    limit :'limit'
) counted
