-- Count a crash of each pending event, which ran alone in its process.
update events_pending set crashes = crashes + 1
where (key, id) in (select e.key, e.id from json_each(:ids) item cross join events_event e on e.id = item.value)
returning id, attempts, crashes
