-- Pending events of lanes that don't exist. Lanes are numbered from 0; each comparison is a range at an end of an index.
select id from (
    select p.id from events_pending p where p.available_at is null and not p.suspect and p.lane < 0
    union all
    select p.id from events_pending p
    where p.available_at is null and not p.suspect and p.lane > (select coalesce(max(id), -1) from events_lane)
    union all
    select p.id from events_pending p where p.available_at is not null and not p.suspect and p.lane < 0
    union all
    select p.id from events_pending p
    where p.available_at is not null and not p.suspect and p.lane > (select coalesce(max(id), -1) from events_lane)
    union all
    select p.id from events_pending p
    where p.suspect and (p.lane < 0 or p.lane > (select coalesce(max(id), -1) from events_lane))
) outside limit :examples
