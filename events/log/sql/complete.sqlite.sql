-- Complete a batch: delete its pending rows, record it, and count it in the tally.
-- :rows are [key, id].
delete from events_pending where (key, id) in (select value ->> 0, value ->> 1 from json_each(:rows));

insert into events_batch (last_id, first_id, finished_at, worker, ids)
select max(value), min(value), :now, :worker, case when count(*) > 1 then json_group_array(value) end
from (select value ->> 1 as value from json_each(:rows) order by 1) group by value / 100000;

insert into events_tally (lane, processed, failed) values (:lane, :processed, :failed)
on conflict (lane) do update
set processed = events_tally.processed + excluded.processed, failed = events_tally.failed + excluded.failed
