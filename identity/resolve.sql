-- One kind of subject (setting cityhub.kind). Input: temp table incoming (system, table_name, record_key, identifier).
create temp table events_before on commit drop as select coalesce(max(event_id), 0) as before from identity.events;
analyze incoming;

-- Every record with the subject it has (S), the identifier that S holds, and the subject its own identifier has (T).
create temp table known on commit drop as
select
    i.system, i.table_name, i.record_key, i.identifier,
    l.subject_id, l.link_id, held.identifier as subject_identifier, owner.subject_id as identifier_subject
from incoming as i
left join identity.current_links as l
    on
        l.subject_kind = current_setting('cityhub.kind')
        and l.system = i.system and l.table_name = i.table_name and l.record_key = i.record_key
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

adopted as (
    insert into identity.identifiers (subject_kind, identifier, subject_id, since_run_id)
    select current_setting('cityhub.kind'), identifier, subject_id, current_setting('cityhub.run_id')
    from candidates
    where by_identifier = 1 and by_subject = 1
    returning identifier, subject_id
),

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
    and held.subject_id = known.subject_id and known.subject_identifier is null;

-- Newcomers: one new subject per number that nobody holds, and one per record without number or link.
create temp table newcomers on commit drop as
with groups as (
    select distinct on (coalesce(identifier, system || '|' || table_name || '|' || record_key))
        identifier, system, table_name, record_key
    from known
    where
        (identifier is not null and identifier_subject is null)
        or (identifier is null and subject_id is null)
    order by
        coalesce(identifier, system || '|' || table_name || '|' || record_key), system, table_name, record_key
),

numbered as (
    -- A record that was corrected to another person's number mints again: its first id stays with the first person.
    select
        g.*,
        (
            select count(*) from identity.subjects as s
            where
                s.subject_kind = current_setting('cityhub.kind')
                and s.minted_system = g.system and s.minted_table = g.table_name and s.minted_key = g.record_key
        )::integer as ordinal
    from groups as g
)

select
    *,
    current_setting('cityhub.prefix') || left(encode(sha256(convert_to(
        concat_ws('|', current_setting('cityhub.kind'), system, table_name, record_key, ordinal), 'UTF8'
    )), 'hex'), 16) as subject_id
from numbered;

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

-- Where each record belongs now; only what moves is appended.
create temp table decided on commit drop as
with target as (
    select
        k.system, k.table_name, k.record_key, k.identifier, k.subject_id as previous_id, k.subject_identifier,
        case
            when k.identifier is null and k.subject_id is not null then k.subject_id
            else coalesce(k.identifier_subject, by_number.subject_id, by_record.subject_id)
        end as subject_id
    from known as k
    left join newcomers as by_number on by_number.identifier = k.identifier
    left join newcomers as by_record
        on
            by_record.identifier is null and k.identifier is null
            and by_record.system = k.system and by_record.table_name = k.table_name
            and by_record.record_key = k.record_key
)

select * from target where previous_id is distinct from subject_id;

insert into identity.links (subject_kind, system, table_name, record_key, subject_id, method, run_id)
select
    current_setting('cityhub.kind'), system, table_name, record_key, subject_id,
    case when identifier is null then 'own_record' else 'certified' end, current_setting('cityhub.run_id')
from decided
order by system, table_name, record_key;

-- A record that found its number's subject left one behind: merged when nothing is left there, split otherwise.
with moved as (
    select distinct on (previous_id) previous_id, subject_id, subject_identifier
    from decided where previous_id is not null
    order by previous_id, subject_id
)

insert into identity.events (subject_kind, event, subject_id, other_subject_id, run_id)
select
    current_setting('cityhub.kind'),
    case
        when m.subject_identifier is null and not exists (
            select 1 from identity.current_links as l
            where l.subject_kind = current_setting('cityhub.kind') and l.subject_id = m.previous_id
        ) then 'merged'
        else 'split'
    end,
    m.previous_id, m.subject_id, current_setting('cityhub.run_id')
from moved as m
order by m.previous_id;
