-- Statements of repair.py: a line `-- ::` names the one below it.
-- :: touched
-- Records whose number may hold a slip and which were not looked at as they are today, those that are gone, and those
-- whose proposal leans on a record that has changed since or is gone.
create temp table touched on commit drop as
with doubtful as (
    select system, table_name, record_key, citizen_no_written, birth_on, sex_code, changed_at
    from identity.int_person_records
    where citizen_no_grade in ('repairable', 'malformed') and citizen_no_written is not null
),

leaning as (
    select distinct p.system, p.table_name, p.record_key
    from identity.repair_proposals as p
    left join identity.int_person_records as o
        on o.system = p.other_system and o.table_name = p.other_table and o.record_key = p.other_key
    where p.state = 'open' and (o.record_key is null or o.changed_at is distinct from p.other_changed_at)
)

select
    coalesce(r.system, k.system) as system, coalesce(r.table_name, k.table_name) as table_name,
    coalesce(r.record_key, k.record_key) as record_key,
    r.citizen_no_written as written, r.birth_on, r.sex_code, r.changed_at
from doubtful as r
full join identity.repair_records as k
    on k.system = r.system and k.table_name = r.table_name and k.record_key = r.record_key
left join leaning as l on l.system = r.system and l.table_name = r.table_name and l.record_key = r.record_key
where
    r.record_key is null or k.record_key is null or r.changed_at is distinct from k.changed_at
    or l.record_key is not null;
create index on touched (system, table_name, record_key);
analyze touched;
-- :: forget
with dropped as (
    delete from identity.repair_candidates as c using touched as t
    where c.system = t.system and c.table_name = t.table_name and c.record_key = t.record_key
),

known as (
    insert into identity.repair_records (system, table_name, record_key, changed_at)
    select system, table_name, record_key, changed_at from touched where written is not null
    on conflict (system, table_name, record_key) do update set changed_at = excluded.changed_at
)

delete from identity.repair_records as k using touched as t
where t.written is null and k.system = t.system and k.table_name = t.table_name and k.record_key = t.record_key;
-- :: hit
-- Candidates to look at: those of touched records, and those that a record changed since the last look may support.
-- Each step is a table with statistics of its own: planned as one query, the last joins became nested loops over all.
create temp table recent on commit drop as
select citizen_no_key, birth_on
from identity.int_person_records
where
    (citizen_no_key is not null or birth_on is not null)
    and changed_at >= coalesce(
        nullif(current_setting('cityhub.through'), '')::timestamptz - current_setting('cityhub.overlap')::interval,
        '-infinity'
    );
analyze recent;

create temp table hit on commit drop as
select c.* from identity.repair_candidates as c
inner join touched as t on t.system = c.system and t.table_name = c.table_name and t.record_key = c.record_key
union
select c.* from identity.repair_candidates as c
inner join recent as r on r.citizen_no_key = c.proposed_key
union
select c.* from identity.repair_candidates as c
inner join recent as r on r.birth_on = c.birth_on and r.citizen_no_key is null
where c.is_single;
analyze hit;
-- :: supported
-- What supports a candidate: a record that certifies the number; or, since many candidates give the same birth date,
-- an uncertified record of that date where only one candidate gives it. Of a candidate every supporter is taken, so
-- that the best does not depend on who came last. Names are compared in Python.
create temp table supported on commit drop as
select h.*, o.citizen_no_key is not null as certifies, o.system as other_system, o.table_name as other_table,
    o.record_key as other_key, o.changed_at as other_changed_at, o.name as other_name,
    h.birth_on = o.birth_on as birth_on_agrees, h.sex_code = o.sex_code as sex_code_agrees,
    o.phone as other_phone, o.home_address as other_home_address, o.town_code as other_town_code
from hit as h
inner join identity.int_person_records as o on o.citizen_no_key = h.proposed_key
where coalesce(h.birth_on = o.birth_on, true) and coalesce(h.sex_code = o.sex_code, true)
union all
select h.*, false, o.system, o.table_name, o.record_key, o.changed_at, o.name, true, h.sex_code = o.sex_code,
    o.phone, o.home_address, o.town_code
from hit as h
inner join identity.int_person_records as o on o.birth_on = h.birth_on
where
    h.is_single and o.citizen_no_key is null and coalesce(h.sex_code = o.sex_code, true)
    and (o.system, o.table_name, o.record_key) <> (h.system, h.table_name, h.record_key)
    -- A date that forms fill in when nobody knows it vouches for nobody.
    and h.birth_on not in (
        select u.birth_on from identity.int_person_records as u
        where u.citizen_no_key is null and u.birth_on in (select v.birth_on from hit as v where v.is_single)
        group by u.birth_on having count(*) > current_setting('cityhub.hot_birth')::integer
    );
analyze supported;
-- :: read
select
    s.*, mine.name, mine.phone = s.other_phone as phone_agrees,
    mine.home_address = s.other_home_address as home_address_agrees, mine.town_code = s.other_town_code as town_code_agrees
from supported as s
inner join identity.int_person_records as mine
    on mine.system = s.system and mine.table_name = s.table_name and mine.record_key = s.record_key
where mine.name is not null and s.other_name is not null;
-- :: held
create temp table held (
    like identity.repair_proposals,
    primary key (system, table_name, record_key, proposed_key)
) on commit drop;
alter table held
alter column proposal_id drop not null, alter column run_id drop not null, alter column state drop not null,
alter column proposed_at drop not null;
-- :: propose
-- What was superseded and holds again is open again; what people settled stays settled.
insert into identity.repair_proposals as p (
    system, table_name, record_key, kind, position, proposed_key, other_system, other_table, other_key,
    other_changed_at, evidence, run_id
)
select
    system, table_name, record_key, kind, position, proposed_key, other_system, other_table, other_key,
    other_changed_at, evidence, current_setting('cityhub.run_id')
from held
order by system, table_name, record_key, proposed_key
on conflict (system, table_name, record_key, proposed_key) do update
set
    state = 'open', settled_at = null, kind = excluded.kind, position = excluded.position,
    other_system = excluded.other_system, other_table = excluded.other_table, other_key = excluded.other_key,
    other_changed_at = excluded.other_changed_at, evidence = excluded.evidence, run_id = excluded.run_id,
    item_id = case
        when (p.other_system, p.other_table, p.other_key)
            = (excluded.other_system, excluded.other_table, excluded.other_key) then p.item_id
    end
where
    p.state = 'superseded'
    or (
        p.state = 'open'
        and (p.kind, p.position, p.other_system, p.other_table, p.other_key, p.other_changed_at, p.evidence)
        is distinct from (
            excluded.kind, excluded.position, excluded.other_system, excluded.other_table, excluded.other_key,
            excluded.other_changed_at, excluded.evidence
        )
    );
-- :: supersede
update identity.repair_proposals as p
set state = 'superseded', settled_at = now()
from touched as t
where
    p.state = 'open' and p.system = t.system and p.table_name = t.table_name and p.record_key = t.record_key
    and not exists (
        select 1 from held as h
        where
            h.system = p.system and h.table_name = p.table_name and h.record_key = p.record_key
            and h.proposed_key = p.proposed_key
    );
-- :: placed
-- Open proposals as pairs in the order of review items (by code point, whatever the database's collation), and whether
-- both records are one subject already: then there is nothing for people to attach.
create temp table placed on commit drop as
select
    p.proposal_id,
    case when f.is_first then p.system else p.other_system end as left_system,
    case when f.is_first then p.table_name else p.other_table end as left_table,
    case when f.is_first then p.record_key else p.other_key end as left_key,
    case when f.is_first then p.other_system else p.system end as right_system,
    case when f.is_first then p.other_table else p.table_name end as right_table,
    case when f.is_first then p.other_key else p.record_key end as right_key,
    coalesce(mine.subject_id = others.subject_id, false) as is_one_subject
from identity.repair_proposals as p
cross join lateral (
    select
        row(p.system collate "C", p.table_name collate "C", p.record_key collate "C")
        < row(p.other_system collate "C", p.other_table collate "C", p.other_key collate "C") as is_first
) as f
left join lateral (
    select l.subject_id from identity.links as l
    where
        l.subject_kind = 'resident' and l.system = p.system and l.table_name = p.table_name
        and l.record_key = p.record_key
    order by l.link_id desc limit 1
) as mine on true
left join lateral (
    select l.subject_id from identity.links as l
    where
        l.subject_kind = 'resident' and l.system = p.other_system and l.table_name = p.other_table
        and l.record_key = p.other_key
    order by l.link_id desc limit 1
) as others on true
where p.state = 'open';
-- :: close_items
update identity.review_items as i
set state = 'superseded', closed_at = now()
where
    i.reason = 'repair' and i.state in ('open', 'disputed')
    and not exists (
        select 1 from placed as w
        where
            not w.is_one_subject
            and (w.left_system, w.left_table, w.left_key) = (i.left_system, i.left_table, i.left_key)
            and (w.right_system, w.right_table, w.right_key) = (i.right_system, i.right_table, i.right_key)
    );
-- :: open_items
insert into identity.review_items as i (
    subject_kind, left_system, left_table, left_key, right_system, right_table, right_key, reason,
    probability, match_weight, waterfall, opened_run_id
)
select distinct on (w.left_system, w.left_table, w.left_key, w.right_system, w.right_table, w.right_key)
    'resident', w.left_system, w.left_table, w.left_key, w.right_system, w.right_table, w.right_key, 'repair',
    s.probability, s.match_weight, coalesce(s.waterfall, '[]'), current_setting('cityhub.run_id')
from placed as w
left join identity.pairs as s
    on
        s.subject_kind = 'resident'
        and s.left_system = w.left_system and s.left_table = w.left_table and s.left_key = w.left_key
        and s.right_system = w.right_system and s.right_table = w.right_table and s.right_key = w.right_key
where
    not w.is_one_subject
    and not exists (
        select 1 from identity.decisions_in_force as d
        where
            d.subject_kind = 'resident'
            and d.left_system = w.left_system and d.left_table = w.left_table and d.left_key = w.left_key
            and d.right_system = w.right_system and d.right_table = w.right_table and d.right_key = w.right_key
    )
on conflict (subject_kind, left_system, left_table, left_key, right_system, right_table, right_key) do update
set state = 'open', reason = 'repair', conflict = null, closed_at = null, opened_run_id = excluded.opened_run_id
where i.state = 'superseded';
-- :: attach_items
-- A pair that people have decided on already settles its proposals.
update identity.repair_proposals as p
set
    item_id = i.item_id,
    state = case d.verdict when 'must_link' then 'accepted' when 'cannot_link' then 'refused' else 'open' end,
    settled_at = case when d.verdict is not null then now() end
from placed as w
left join identity.review_items as i
    on
        i.subject_kind = 'resident' and i.state <> 'superseded'
        and i.left_system = w.left_system and i.left_table = w.left_table and i.left_key = w.left_key
        and i.right_system = w.right_system and i.right_table = w.right_table and i.right_key = w.right_key
left join identity.decisions_in_force as d
    on
        d.subject_kind = 'resident'
        and d.left_system = w.left_system and d.left_table = w.left_table and d.left_key = w.left_key
        and d.right_system = w.right_system and d.right_table = w.right_table and d.right_key = w.right_key
where
    p.proposal_id = w.proposal_id
    and (p.item_id is distinct from i.item_id or d.verdict is not null);
-- :: has_changed
-- Also remembers what is seen now; on the first look, everything is new.
with extent as (
    select count(*) as records_count, max(changed_at) as through_changed_at from identity.int_person_records
),

remembered as (
    insert into identity.repair_progress (records_count, through_changed_at)
    select records_count, through_changed_at from extent
    on conflict (only_row) do update
    set records_count = excluded.records_count, through_changed_at = excluded.through_changed_at
)

select p.records_count, p.through_changed_at
from extent as e
left join identity.repair_progress as p on true
where (p.records_count, p.through_changed_at) is distinct from (e.records_count, e.through_changed_at);
