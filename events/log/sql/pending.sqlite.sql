-- How many events are pending, counted up to :limit.
select count(*) from (
    select 1 from events_pending p indexed by events_ready where p.available_at is null and not p.suspect
    union all
    select 1 from events_pending p indexed by events_due where p.available_at is not null and not p.suspect
    union all
    select 1 from events_pending p indexed by events_suspects where p.suspect
    limit :limit
) counted
