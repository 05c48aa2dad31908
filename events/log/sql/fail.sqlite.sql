-- Record failed attempts, a JSON array of {key, id, wait, kind, message, text, trace, reason}: an event is tried again
-- in `wait` seconds, or becomes a dead letter where that is null. Of an event's attempts the newest 20 stay.
insert into events_attempt (event_id, number, at, worker, kind, message, trace)
select p.id, p.attempts + 1, :now, :worker, i.value ->> 'kind', i.value ->> 'message', i.value ->> 'trace'
from json_each(:document) i cross join events_pending p on p.key = i.value ->> 'key' and p.id = i.value ->> 'id';

insert into events_dead_letter (id, event_type, did, reason, error, attempts, died_at, note)
select e.id, e.event_type, e.did, i.value ->> 'reason', i.value ->> 'text', p.attempts + 1, :now, ''
from json_each(:document) i
cross join events_pending p on p.key = i.value ->> 'key' and p.id = i.value ->> 'id'
cross join events_event e on e.id = p.id
where i.value ->> 'wait' is null;

delete from events_pending where (key, id) in (
    select i.value ->> 'key', i.value ->> 'id' from json_each(:document) i where i.value ->> 'wait' is null);

update events_pending set attempts = attempts + 1, available_at = strftime(
    '%Y-%m-%d %H:%M:%f', :now, '+' || item.wait || ' seconds')
from (
    select i.value ->> 'key' as key, i.value ->> 'id' as id, i.value ->> 'wait' as wait from json_each(:document) i
) item
where events_pending.key = item.key and events_pending.id = item.id and item.wait is not null;

delete from events_attempt
where event_id in (select i.value ->> 'id' from json_each(:document) i) and id <= (
    select b.id from events_attempt b where b.event_id = events_attempt.event_id order by b.id desc limit 1 offset 20)
