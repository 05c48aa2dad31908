-- The first due rows of a lane and a priority.
select p.id, p.key, p.priority from events_pending p indexed by events_due
where p.lane = :lane and p.available_at is not null and not p.suspect and p.available_at <= :now
    and p.priority = :priority
order by p.available_at limit :limit
