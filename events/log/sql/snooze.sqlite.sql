-- Let what follows a row that waits, a JSON array of {key, id}, wait as long: up to :limit rows of its key.
-- What follows a suspect, which may be due, is looked at again in a second.
update events_pending set available_at = behind.until
from (
    select q.key, q.id,
        case when b.available_at > :now then b.available_at else strftime('%Y-%m-%d %H:%M:%f', :now, '+1 seconds') end
            as until
    from json_each(:document) i
    cross join events_pending b on b.key = i.value ->> 'key' and b.id = i.value ->> 'id'
    cross join events_pending q on q.key = b.key and q.id > b.id and q.id <= coalesce((
        select r.id from events_pending r
        where r.key = b.key and r.id > b.id and not r.suspect and (r.available_at is null or r.available_at <= :now)
        order by r.id limit 1 offset :limit - 1
    ), 9223372036854775807)
    where not q.suspect and (q.available_at is null or q.available_at <= :now)
) behind
where events_pending.key = behind.key and events_pending.id = behind.id
