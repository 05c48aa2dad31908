-- Append a JSON array of events: one row each in the log and in the pending work.
-- An id is drawn after its transaction has an xid: the low watermarks rely on it (see events/worker/watermarks.py), and
-- nextval() alone gives one only every 32nd call. Ids follow the document's order, rows are inserted in the order of
-- event_id: two appends of the same events in opposite order would deadlock. A payload is a text member:
-- json_to_recordset refuses NUL and lone surrogates in a json member.
-- With `patience` (such as 5ms) an event_id that another open transaction holds is waited for so long: then 55P03.
with patience as materialized (
    select set_config('lock_timeout', coalesce(:'patience', current_setting('lock_timeout')), true)
), document as materialized (
    select case when pg_current_xact_id() is not null then nextval('events_event_id_seq') end as id,
        clock_timestamp() as at, item.*
    from patience, json_to_recordset(:'document'::json) as item (
        i uuid, t text, d text, k bigint, r smallint, p text, g uuid, v bigint, rev text, o timestamptz, q text, w text
    )
), inserted as (
    insert into events_event (
        id, event_id, event_type, did, key, priority, payload, digest, rev, occurred_at, version, received_at,
        request_id, traceparent
    )
    select id, i, t, d, k, r, p, g, rev, o, coalesce(v, (extract(epoch from at) * 1000000)::bigint), at, q, w
    from document
    order by i
    on conflict (event_id) do nothing
    returning id, event_id, key, priority
), pending as (
    insert into events_pending (key, id, lane, priority)
    select key, id, mod(mod(key, lanes.n) + lanes.n, lanes.n), priority
    from inserted, (select max(id) + 1 as n from events_lane) lanes
)
select event_id from inserted
