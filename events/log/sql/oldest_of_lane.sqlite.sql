-- The first ready rows of a lane and a priority.
select p.id, p.key, p.priority from events_pending p indexed by events_ready
where p.lane = :lane and p.available_at is null and not p.suspect and p.priority = :priority order by p.id limit :limit
