-- Count attempts that failed outside a batch's transaction.
insert into events_tally as tally (lane, processed, failed) values (:'lane', 0, :'failed')
on conflict (lane) do update set failed = tally.failed + excluded.failed
