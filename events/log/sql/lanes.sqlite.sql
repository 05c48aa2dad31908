-- Up to :share lanes that have work: the most urgent, or by age those with the oldest event. The first ready and the first
-- due row of each lane and priority have a rank: their id, preceded by the complement of the priority except by age.
with priority (n) as (values (0), (1), (2), (3)), head as (
    select l.id as lane, n as priority, (
            select p.id from events_pending p indexed by events_ready
            where p.lane = l.id and p.priority = n and p.available_at is null and not p.suspect order by p.id limit 1
        ) as ready, case when :due then (
            select p.id from events_pending p indexed by events_due
            where p.lane = l.id and p.priority = n and p.available_at is not null and not p.suspect
                and p.available_at <= :now
            order by p.available_at limit 1
        ) end as due
    from events_lane l cross join priority
    where l.id not in (select value from json_each(:avoid))
)
select lane from head where coalesce(ready, due) is not null
group by lane
order by min(min(coalesce(ready, due), coalesce(due, ready)) + case when :by_age then 0 else (3 - priority) << 60 end)
limit :share
