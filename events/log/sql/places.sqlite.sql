-- The events of a range of ids that are not in exactly one place, and in how many they are.
-- No batch spans 100,000 ids.
select id, sum(places) from (
    select e.id, 0 as places from events_event e where e.id > :after and e.id <= :upto
    union all
    select p.id, 1 from events_event e join events_pending p on p.key = e.key and p.id = e.id
    where e.id > :after and e.id <= :upto
    union all
    select d.id, 1 from events_dead_letter d where d.id > :after and d.id <= :upto
    union all
    select item.value, 1 from events_batch b, json_each(coalesce(b.ids, json_array(b.last_id))) item
    where b.last_id > :after and b.last_id < :upto + 100000 and b.first_id <= :upto and item.value > :after and item.value <= :upto
) place group by id having sum(places) <> 1 order by id
