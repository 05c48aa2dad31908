-- Lock up to :share lanes that have work and that are not locked: the most urgent, or by age those with the oldest event.
-- Ready rows of each priority are an index range that starts above the priority's low watermark; due rows are looked for
-- only where any row has a time.
with due as materialized (
    select exists (select 1 from events_pending p where p.available_at is not null and not p.suspect) as waiting
)
select l.id
from events_lane l
cross join lateral (
    select id, priority from (
        (select * from (
            (select p.id, p.priority from events_pending p
             where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 3
                and p.id > :'above3' order by p.id limit 1)
            union all
            (select p.id, p.priority from events_pending p
             where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 2
                and p.id > :'above2' order by p.id limit 1)
            union all
            (select p.id, p.priority from events_pending p
             where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 1
                and p.id > :'above1' order by p.id limit 1)
            union all
            (select p.id, p.priority from events_pending p
             where p.lane = l.id and p.available_at is null and not p.suspect and p.priority = 0
                and p.id > :'above0' order by p.id limit 1)
        ) ready limit case when :'by_age'::boolean then 4 else 1 end)
        union all
        (select p.id, p.priority from events_pending p
         where (select waiting from due) and p.lane = l.id and p.available_at <= clock_timestamp() and not p.suspect
            and p.priority = 3 order by p.available_at limit 1)
        union all
        (select p.id, p.priority from events_pending p
         where (select waiting from due) and p.lane = l.id and p.available_at <= clock_timestamp() and not p.suspect
            and p.priority = 2 order by p.available_at limit 1)
        union all
        (select p.id, p.priority from events_pending p
         where (select waiting from due) and p.lane = l.id and p.available_at <= clock_timestamp() and not p.suspect
            and p.priority = 1 order by p.available_at limit 1)
        union all
        (select p.id, p.priority from events_pending p
         where (select waiting from due) and p.lane = l.id and p.available_at <= clock_timestamp() and not p.suspect
            and p.priority = 0 order by p.available_at limit 1)
    ) head
    order by case when :'by_age'::boolean then 0 else -priority end, id limit 1
) head
where l.id <> all(:'avoid'::smallint[])
order by case when :'by_age'::boolean then 0 else -head.priority end, head.id
limit :'share'
for update of l skip locked
