-- The rows that the chosen ones bring, in the order of the batch. :pullers are [key, after, up to], both ids.
select p.key, p.id
from json_each(:pullers) puller
cross join events_pending p
    on p.key = puller.value ->> 0 and p.id > puller.value ->> 1 and p.id <= puller.value ->> 2
order by puller.key, p.id
limit :limit
