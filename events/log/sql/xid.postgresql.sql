-- The xid of this transaction.
select pg_current_xact_id()::text::bigint
