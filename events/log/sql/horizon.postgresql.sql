-- The lowest xid that may still be running, and when the server started.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
    (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint
