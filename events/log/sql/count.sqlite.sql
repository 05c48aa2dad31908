-- Count attempts that failed outside a batch's transaction.
insert into events_tally (lane, processed, failed) values (:lane, 0, :failed)
on conflict (lane) do update set failed = events_tally.failed + excluded.failed
