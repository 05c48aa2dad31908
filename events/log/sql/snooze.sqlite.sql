-- Let what follows a row that waits, a JSON array of {key, id}, wait as long: up to :limit rows of its key.
-- What follows a suspect, which may be due, is looked at again in a second.
update events_pending set available_at = behind.until
from (
    select q.key, q.id, row_number() over (partition by q.key order by q.id) as number,
        case when b.available_at > :now then b.available_at else strftime('%Y-%m-%d %H:%M:%f', :now, '+1 seconds') end
            as until
    from json_each(:document) i
    cross join events_pending b on b.key = i.value ->> 'key' and b.id = i.value ->> 'id'
    cross join events_pending q on q.key = b.key and q.id > b.id
    where not q.suspect and (q.available_at is null or q.available_at <= :now)
) behind
where events_pending.key = behind.key and events_pending.id = behind.id and behind.number <= :limit
