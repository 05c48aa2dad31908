-- How deep the log is: a name, a priority and a number in each row. No count goes beyond :limit.
select 'ready', each.value, (
    select count(*) from (
        select 1 from events_lane l cross join events_pending p indexed by events_ready
        where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = each.value limit :limit
    )
) from json_each('[0, 1, 2, 3]') each
union all
select 'oldest', head.priority, (julianday(:now) - julianday(e.received_at)) * 86400
from (
    select each.value as priority, min((
        select p.id from events_pending p indexed by events_ready
        where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = each.value
        order by p.id limit 1
    )) as id
    from json_each('[0, 1, 2, 3]') each cross join events_lane l group by each.value
) head cross join events_event e on e.id = head.id
union all
select case when p.available_at <= :now then 'due' else 'waiting' end, p.priority, count(*) from (
    select * from events_pending p indexed by events_due where p.available_at is not null and not p.suspect limit :limit
) p group by 1, 2
union all
select 'overdue', each.value, (julianday(:now) - julianday(min((
    select p.available_at from events_pending p indexed by events_due
    where p.lane = l.id and p.available_at is not null and not p.suspect and p.priority = each.value
    order by p.available_at limit 1
)))) * 86400
from json_each('[0, 1, 2, 3]') each cross join events_lane l group by each.value
union all
select 'suspects', 0, count(*) from (
    select 1 from events_pending p indexed by events_suspects where p.suspect limit :limit) counted
union all
select 'dead', 0, count(*) from (
    select 1 from events_dead_letter indexed by events_dead where discarded_at is null limit :limit) counted
