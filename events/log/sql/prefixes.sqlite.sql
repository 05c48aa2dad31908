-- The rows that the chosen ones bring, in the order of the batch. :pullers are [key, after, up to], both ids. Of each key
-- no more than :limit rows are read.
select p.key, p.id
from json_each(:pullers) puller
cross join events_pending p on p.key = puller.value ->> 0 and p.id > puller.value ->> 1
    and p.id <= min(puller.value ->> 2, coalesce((
        select q.id from events_pending q where q.key = puller.value ->> 0 and q.id > puller.value ->> 1
            and q.id <= puller.value ->> 2
        order by q.id limit 1 offset :limit - 1
    ), puller.value ->> 2))
order by puller.key, p.id
limit :limit
