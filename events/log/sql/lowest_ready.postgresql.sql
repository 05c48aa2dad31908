-- By priority, the smallest id of a ready row above the low watermarks.
select above.priority, min(head.id)
from (values (0, :'above0'::bigint), (1, :'above1'::bigint), (2, :'above2'::bigint), (3, :'above3'::bigint))
    above (priority, id)
cross join events_lane l
left join lateral (
    select p.id from events_pending p
    where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = above.priority and p.id > above.id
    order by p.id limit 1
) head on true
group by above.priority
