-- The certified records of one kind, where no subject of that kind exists yet: one new subject per identifier, minted
-- for the first of its records. Settings: cityhub.kind, cityhub.prefix, cityhub.run_id. {relation} and {key} are filled
-- in by identity.first_load.
create temp table certified on commit drop as
with firsts as (
    select
        {key} as identifier,
        min((system || E'\x01' || table_name || E'\x01' || record_key) collate "C") as first_record,
        count(*) as records_count
    from {relation}
    where nullif({key}, '') is not null and {key} not like 'REG%'
    group by {key}
),

named as (
    select
        identifier,
        split_part(first_record, E'\x01', 1) as system,
        split_part(first_record, E'\x01', 2) as table_name,
        first_record, records_count
    from firsts
),

apart as (
    select
        identifier, system, table_name, records_count,
        substr(first_record, length(system) + length(table_name) + 3) as record_key
    from named
)

select
    identifier, system, table_name, record_key, records_count,
    current_setting('cityhub.prefix') || left(encode(sha256(convert_to(
        concat_ws('|', current_setting('cityhub.kind'), system, table_name, record_key, 0), 'UTF8'
    )), 'hex'), 16) as subject_id
from apart;
analyze certified;

insert into identity.subjects
(subject_id, subject_kind, minted_system, minted_table, minted_key, minted_ordinal, minted_run_id)
select
    subject_id, current_setting('cityhub.kind'), system, table_name, record_key, 0, current_setting('cityhub.run_id')
from certified;

insert into identity.identifiers (subject_kind, identifier, subject_id, since_run_id)
select current_setting('cityhub.kind'), identifier, subject_id, current_setting('cityhub.run_id')
from certified;

insert into identity.events (subject_kind, event, subject_id, run_id)
select current_setting('cityhub.kind'), 'minted', subject_id, current_setting('cityhub.run_id')
from certified;

-- Most identifiers have one record, which needs no looking for.
insert into identity.links
(subject_kind, system, table_name, record_key, subject_id, method, probability, model_version, run_id)
select
    current_setting('cityhub.kind'), system, table_name, record_key, subject_id, 'certified', 1, null,
    current_setting('cityhub.run_id')
from certified;

insert into identity.links
(subject_kind, system, table_name, record_key, subject_id, method, probability, model_version, run_id)
select
    current_setting('cityhub.kind'), r.system, r.table_name, r.record_key, c.subject_id, 'certified', 1, null,
    current_setting('cityhub.run_id')
from {relation} as r
inner join certified as c on r.{key} = c.identifier
where
    c.records_count > 1
    and (r.system, r.table_name, r.record_key) <> (c.system, c.table_name, c.record_key);
