-- Dead letters by reason. From each reason to the next: a step of the recursion is one probe, however many letters a
-- reason has, and a bounded count along it.
with recursive each as (
    select min(reason) as reason, 1 as number from events_dead_letter where discarded_at is null
    union all
    select (select min(d.reason) from events_dead_letter d where d.discarded_at is null and d.reason > each.reason),
        each.number + 1
    from each where each.reason is not null and each.number < :'most'
)
select each.reason,
    (select count(*) from (
        select 1 from events_dead_letter d where d.discarded_at is null and d.reason = each.reason limit :'counted'
    ) counted),
    (select min(d.died_at) from events_dead_letter d where d.discarded_at is null and d.reason = each.reason),
    (select max(d.died_at) from events_dead_letter d where d.discarded_at is null and d.reason = each.reason),
    (select d.id from events_dead_letter d where d.discarded_at is null and d.reason = each.reason
     order by d.died_at desc, d.id desc limit 1)
from each where each.reason is not null
