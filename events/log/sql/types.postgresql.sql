-- The event types that have dead letters, one probe each.
with recursive each as (
    select min(event_type) as event_type, 1 as number from events_dead_letter where discarded_at is null
    union all
    select (select min(d.event_type) from events_dead_letter d 
            where d.discarded_at is null and d.event_type > each.event_type), each.number + 1
    from each where each.event_type is not null and each.number < :'most'
)
select event_type from each where event_type is not null
