-- The certified records of one kind, where no subject of that kind exists yet: one new subject per identifier, minted
-- for the first of its records. Settings: cityhub.kind, cityhub.prefix, cityhub.run_id. {relation} and {key} are filled
-- in by identity.first_load.
--
-- Sorted by identifier: half the time of hashing millions of them, and what is written in the order of an index is
-- not sorted for it again. Settings are read by subqueries, once a statement instead of once a row.
create temp table certified on commit drop as
select
    {key} as identifier, system, table_name, record_key,
    row_number() over subject as place,
    (select current_setting('cityhub.prefix')) || left(encode(sha256(convert_to(concat_ws(
        '|', (select current_setting('cityhub.kind')), first_value(system) over subject,
        first_value(table_name) over subject, first_value(record_key) over subject, 0
    ), 'UTF8')), 'hex'), 16) as subject_id
from {relation}
where nullif({key}, '') is not null and {key} not like 'REG%'
window subject as (
    partition by {key} collate "C"
    order by system collate "C", table_name collate "C", record_key collate "C"
    rows between unbounded preceding and current row
);

insert into identity.subjects
(subject_id, subject_kind, minted_system, minted_table, minted_key, minted_ordinal, minted_run_id)
select
    subject_id, (select current_setting('cityhub.kind')), system, table_name, record_key, 0,
    (select current_setting('cityhub.run_id'))
from certified
where place = 1;

insert into identity.identifiers (subject_kind, identifier, subject_id, since_run_id)
select (select current_setting('cityhub.kind')), identifier, subject_id, (select current_setting('cityhub.run_id'))
from certified
where place = 1;

insert into identity.events (subject_kind, event, subject_id, run_id)
select (select current_setting('cityhub.kind')), 'minted', subject_id, (select current_setting('cityhub.run_id'))
from certified
where place = 1;

insert into identity.links
(subject_kind, system, table_name, record_key, subject_id, method, probability, model_version, run_id)
select
    (select current_setting('cityhub.kind')), system, table_name, record_key, subject_id, 'certified', 1, null,
    (select current_setting('cityhub.run_id'))
from certified;
