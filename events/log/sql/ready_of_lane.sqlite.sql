-- The first ready rows of a lane, the most urgent first.
select p.id, p.key, p.priority from events_pending p indexed by events_ready
where p.lane = :lane and p.available_at is null and not p.suspect order by p.priority desc, p.id limit :limit
