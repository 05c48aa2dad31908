-- How deep the log is: a name, a priority and a number in each row. No count goes beyond :limit.
with ready as materialized (
    select priority, count(*) as events, min(id) as oldest from (
        select p.priority, p.id from events_pending p indexed by events_ready
        where p.available_at is null and not p.suspect limit :limit
    ) group by priority
)
select 'ready', priority, events from ready
union all
select 'oldest', ready.priority, (julianday(:now) - julianday(e.received_at)) * 86400
from ready cross join events_event e on e.id = ready.oldest
union all
select case when p.available_at <= :now then 'due' else 'waiting' end, p.priority, count(*) from (
    select * from events_pending p indexed by events_due where p.available_at is not null and not p.suspect limit :limit
) p group by 1, 2
union all
select 'overdue', p.priority, (julianday(:now) - julianday(min(p.available_at))) * 86400 from (
    select * from events_pending p indexed by events_due where p.available_at is not null and not p.suspect limit :limit
) p group by p.priority
union all
select 'suspects', 0, count(*) from (
    select 1 from events_pending p indexed by events_suspects where p.suspect limit :limit) counted
union all
select 'dead', 0, count(*) from (
    select 1 from events_dead_letter indexed by events_dead where discarded_at is null limit :limit) counted
