-- Let what follows a row that waits, a JSON array of {key, id}, wait as long: up to :limit rows of its key, as many as a
-- fetch may have chosen without reaching it. What follows a suspect, which may be due, is looked at again in a second.
update events_pending p
set available_at = case when blocker.available_at > clock_timestamp() then blocker.available_at
    else clock_timestamp() + interval '1 second' end
from json_to_recordset(:'document'::json) as item (key bigint, id bigint)
join lateral (
    select b.key, b.id, b.available_at from events_pending b where b.key = item.key and b.id = item.id
) blocker on true
cross join lateral (
    select q.ctid from events_pending q
    where q.key = blocker.key and q.id > blocker.id and not q.suspect
        and (q.available_at is null or q.available_at <= clock_timestamp())
    order by q.id limit :'limit'
) behind
where p.ctid = behind.ctid
