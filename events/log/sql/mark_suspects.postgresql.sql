-- Mark pending events as suspects; those that were not marked before.
update events_pending p set suspect = true
from events_event e
where e.id = any(:'ids'::bigint[]) and p.key = e.key and p.id = e.id and not p.suspect
returning p.id, p.attempts
