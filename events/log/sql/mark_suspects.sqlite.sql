-- Mark pending events as suspects; those that were not marked before.
update events_pending set suspect = 1
where not suspect and (key, id) in (
    select e.key, e.id from json_each(:ids) item cross join events_event e on e.id = item.value)
returning id, attempts
