-- Lock those of some lanes that are not locked.
select id from events_lane where id = any(:'lanes'::smallint[]) order by id for update skip locked
