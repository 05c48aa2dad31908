-- The first rows of each chosen key up to the last that was chosen of it, :limit of them at the most.
select p.key, p.id, p.priority
from json_each(:tops) top
cross join events_pending p on p.key = top.value ->> 0 and p.id <= min(top.value ->> 1, coalesce((
    select q.id from events_pending q where q.key = top.value ->> 0 order by q.id limit 1 offset :limit - 1
), top.value ->> 1))
order by p.key, p.id
