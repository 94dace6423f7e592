-- One kind of subject (setting cityhub.kind). Input: temp table incoming (system, table_name, record_key, identifier,
-- cluster, is_clustered, method, probability, model_version) and temp table linked (the links that these records have
-- now: system, table_name, record_key, subject_id, link_id, method, probability). `identifier` is the record's own certified one, else that
-- of the certified subject its cluster belongs to; records without any of both share a subject by `cluster`.
create temp table events_before on commit drop as select coalesce(max(event_id), 0) as before from identity.events;
analyze incoming;

-- Every record with the subject it has (S), the identifier that S holds, and the subject its own identifier has (T).
-- An old registration number (REG…) is a weaker hold than a credit code: it gives way to one.
create temp table known on commit drop as
select
    i.system, i.table_name, i.record_key, i.identifier, i.cluster, i.is_clustered,
    i.method, i.probability, i.model_version,
    l.subject_id, l.link_id, l.method as previous_method, l.probability as previous_probability,
    case
        when held.identifier like 'REG%' and i.identifier not like 'REG%' then null else held.identifier
    end as subject_identifier,
    owner.subject_id as identifier_subject
from incoming as i
left join linked as l
    on l.system = i.system and l.table_name = i.table_name and l.record_key = i.record_key
left join identity.identifiers as held
    on held.subject_kind = current_setting('cityhub.kind') and held.subject_id = l.subject_id
left join identity.identifiers as owner
    on owner.subject_kind = current_setting('cityhub.kind') and owner.identifier = i.identifier;
analyze known;

-- Adopt: an uncertified subject whose record now carries a number nobody holds. The oldest link wins, on both sides:
-- one subject takes one number, one number goes to one subject.
with candidates as (
    select
        identifier, subject_id,
        row_number() over (partition by identifier order by link_id) as by_identifier,
        row_number() over (partition by subject_id order by link_id) as by_subject
    from known
    where
        identifier is not null and identifier_subject is null
        and subject_id is not null and subject_identifier is null
),

chosen as (select identifier, subject_id from candidates where by_identifier = 1 and by_subject = 1),

replaced as (
    update identity.identifiers as i set identifier = c.identifier, since_run_id = current_setting('cityhub.run_id')
    from chosen as c
    where i.subject_id = c.subject_id and i.identifier like 'REG%'
    returning i.identifier, i.subject_id
),

given as (
    insert into identity.identifiers (subject_kind, identifier, subject_id, since_run_id)
    select current_setting('cityhub.kind'), identifier, subject_id, current_setting('cityhub.run_id')
    from chosen
    where not exists (select 1 from identity.identifiers as i where i.subject_id = chosen.subject_id)
    returning identifier, subject_id
),

adopted as (select * from replaced union all select * from given),

told as (
    insert into identity.events (subject_kind, event, subject_id, run_id)
    select current_setting('cityhub.kind'), 'adopted', subject_id, current_setting('cityhub.run_id')
    from adopted order by subject_id
)

update known set identifier_subject = adopted.subject_id
from adopted
where known.identifier = adopted.identifier;

-- The number a subject holds may just have been adopted: what the record leaves behind is judged by the new state.
update known set subject_identifier = held.identifier
from identity.identifiers as held
where
    held.subject_kind = current_setting('cityhub.kind')
    and held.subject_id = known.subject_id and known.subject_id is not null and known.subject_identifier is null;

-- Clusters without identifier keep an id that their records had: a subject goes with the record that was linked to it
-- first, a cluster takes the oldest of those that come to it. A record that nobody clustered keeps its own, whatever
-- that subject holds: losing a number changes nobody's id.
create temp table kept on commit drop as
with held as (
    select cluster, subject_id, min(link_id) as first_link
    from known
    where identifier is null and subject_id is not null and (subject_identifier is null or not is_clustered)
    group by cluster, subject_id
),

going as (
    select distinct on (subject_id) subject_id, cluster, first_link
    from held order by subject_id, first_link, cluster
)

select distinct on (cluster) cluster, subject_id from going order by cluster, first_link, subject_id;
analyze kept;

-- Newcomers: one new subject per number that nobody holds, and one per cluster without number or id.
create temp table newcomers on commit drop as
with groups as (
    select distinct on (coalesce(k.identifier, 'cluster ' || k.cluster))
        k.identifier, case when k.identifier is null then k.cluster end as cluster,
        k.system, k.table_name, k.record_key
    from known as k
    left join kept on kept.cluster = k.cluster
    where
        (k.identifier is not null and k.identifier_subject is null)
        or (k.identifier is null and kept.subject_id is null)
    -- For a number: the first of the records that certify it.
    order by
        coalesce(k.identifier, 'cluster ' || k.cluster), k.method <> 'certified', k.system, k.table_name, k.record_key
),

numbered as (
    -- A record that was corrected to another person's number mints again: its first id stays with the first person.
    -- Whatever was minted for a record, it was linked to.
    select
        g.*,
        -- On a first load nothing was ever minted, and there is no index to see it by.
        case
            when current_setting('cityhub.is_first_load') = 'on' then 0
            else (
                select count(distinct s.subject_id)
                from identity.links as l
                inner join identity.subjects as s
                    on
                        s.subject_id = l.subject_id and s.subject_kind = l.subject_kind
                        and (s.minted_key, s.minted_table, s.minted_system) = (l.record_key, l.table_name, l.system)
                where
                    l.record_key = g.record_key and l.table_name = g.table_name and l.system = g.system
                    and l.subject_kind = current_setting('cityhub.kind')
            )::integer
        end as ordinal
    from groups as g
)

select
    *,
    current_setting('cityhub.prefix') || left(encode(sha256(convert_to(
        concat_ws('|', current_setting('cityhub.kind'), system, table_name, record_key, ordinal), 'UTF8'
    )), 'hex'), 16) as subject_id
from numbered;

analyze newcomers;

insert into identity.subjects
(subject_id, subject_kind, minted_system, minted_table, minted_key, minted_ordinal, minted_run_id)
select
    subject_id, current_setting('cityhub.kind'), system, table_name, record_key, ordinal,
    current_setting('cityhub.run_id')
from newcomers order by subject_id;

insert into identity.identifiers (subject_kind, identifier, subject_id, since_run_id)
select current_setting('cityhub.kind'), identifier, subject_id, current_setting('cityhub.run_id')
from newcomers where identifier is not null;

insert into identity.events (subject_kind, event, subject_id, run_id)
select current_setting('cityhub.kind'), 'minted', subject_id, current_setting('cityhub.run_id')
from newcomers order by subject_id;

-- Where each record belongs now. Appended is what moves, and what is now held by another method or on the other side of
-- the strict threshold: readers choose links by both.
create temp table decided on commit drop as
with target as (
    select
        k.system, k.table_name, k.record_key, k.subject_id as previous_id, k.link_id as previous_link_id,
        k.subject_identifier, k.previous_method, k.previous_probability, k.probability, k.model_version,
        coalesce(k.identifier_subject, by_number.subject_id, kept.subject_id, by_cluster.subject_id) as subject_id,
        case when k.method = 'kept' then coalesce(k.previous_method, 'own_record') else k.method end as method
    from known as k
    left join newcomers as by_number on by_number.identifier = k.identifier
    left join kept on k.identifier is null and kept.cluster = k.cluster
    left join newcomers as by_cluster on k.identifier is null and by_cluster.cluster = k.cluster
)

select * from target
where
    previous_id is distinct from subject_id
    or (
        method <> previous_method
        -- A record alone keeps the word it was linked by: its number may be gone, its id is not.
        and not (method = 'own_record' and previous_method = 'certified')
    )
    or (probability >= current_setting('cityhub.strict')::double precision)
    <> (previous_probability >= current_setting('cityhub.strict')::double precision);

insert into identity.links
(subject_kind, system, table_name, record_key, subject_id, method, probability, model_version, run_id)
select
    current_setting('cityhub.kind'), system, table_name, record_key, subject_id, method, probability,
    case when method = 'model' then model_version end, current_setting('cityhub.run_id')
from decided
order by system, table_name, record_key;

-- The subjects that records speak of from now on. On a first load nobody had one before, and nothing is asked of it.
create temp table alive on commit drop as
select distinct coalesce(d.subject_id, k.subject_id) as subject_id
from known as k
left join decided as d
    on d.record_key = k.record_key and d.table_name = k.table_name and d.system = k.system
where current_setting('cityhub.is_first_load') = 'off';
analyze alive;

-- Records that go elsewhere leave a subject behind, and each way they went is told. Where nobody is left there, it is
-- merged: its redirect leads to where its oldest record went.
with moved as (
    select
        previous_id, subject_id, bool_and(subject_identifier is null) as is_uncertified,
        row_number() over (partition by previous_id order by min(previous_link_id), subject_id) as place
    from decided
    where previous_id is not null and previous_id <> subject_id
    group by previous_id, subject_id
)

insert into identity.events (subject_kind, event, subject_id, other_subject_id, run_id)
select
    current_setting('cityhub.kind'),
    case
        when m.place = 1 and m.is_uncertified and not exists (select 1 from alive as a where a.subject_id = m.previous_id)
            then 'merged'
        else 'split'
    end,
    m.previous_id, m.subject_id, current_setting('cityhub.run_id')
from moved as m
order by m.previous_id, m.place;

-- A subject that no record speaks of any more is retired, unless it was merged; it is restored when one does again.
-- Whoever else was ever linked to a subject is among the records looked at, so nobody else can speak of it.
create temp table concerned on commit drop as
select subject_id from linked
union
select subject_id from decided where current_setting('cityhub.is_first_load') = 'off';
analyze concerned;

with gone as (
    select c.subject_id, 'retired' as event, array['merged', 'retired'] as unless
    from concerned as c
    where not exists (select 1 from alive as a where a.subject_id = c.subject_id)
),

back as (
    select c.subject_id, 'restored' as event, array['minted', 'restored'] as unless
    from concerned as c
    where
        exists (select 1 from alive as a where a.subject_id = c.subject_id)
        and exists (
            select 1 from identity.events as e
            where e.subject_id = c.subject_id and e.event in ('merged', 'retired')
        )
)

insert into identity.events (subject_kind, event, subject_id, run_id)
select current_setting('cityhub.kind'), n.event, n.subject_id, current_setting('cityhub.run_id')
from (select * from gone union all select * from back) as n
inner join lateral (
    select e.event from identity.events as e
    where e.subject_id = n.subject_id and e.event in ('minted', 'merged', 'retired', 'restored')
    order by e.event_id desc limit 1
) as latest on latest.event <> all (n.unless)
order by n.subject_id;
