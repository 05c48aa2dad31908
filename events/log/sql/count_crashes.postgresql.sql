-- Count a crash of each pending event, which ran alone in its process.
update events_pending p set crashes = p.crashes + 1
from events_event e
where e.id = any(:'ids'::bigint[]) and p.key = e.key and p.id = e.id
returning p.id, p.attempts, p.crashes
