-- Complete a batch: delete its pending rows, record it, and count it in the tally.
delete from events_pending where (key, id) in (
    select k.value, i.value from json_each(:ids) i join json_each(:keys) k on k.key = i.key);

insert into events_batch (last_id, first_id, finished_at, worker, ids)
select max(value), min(value), :now, :worker, case when count(*) > 1 then json_group_array(value) end
from (select value from json_each(:ids) order by value) group by value / 100000;

insert into events_tally (lane, processed, failed) values (:lane, :processed, :failed)
on conflict (lane) do update
set processed = events_tally.processed + excluded.processed, failed = events_tally.failed + excluded.failed
