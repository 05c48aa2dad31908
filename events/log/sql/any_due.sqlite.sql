-- Whether any row is due.
select exists (
    select 1 from events_pending p indexed by events_due
    where p.available_at is not null and not p.suspect and p.available_at <= :now
)
