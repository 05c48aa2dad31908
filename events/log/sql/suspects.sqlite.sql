-- Suspects that may run now: the first pending event of their key, and due.
select c.id, c.lane from events_pending c
where c.suspect and (c.available_at is null or c.available_at <= :now)
    and not exists (select 1 from events_pending b where b.key = c.key and b.id < c.id)
order by c.available_at, c.id limit 64
