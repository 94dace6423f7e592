create table identity.repair_records (
    system text not null,
    table_name text not null,
    record_key text not null,
    changed_at timestamptz,
    primary key (system, table_name, record_key)
);
comment on table identity.repair_records is
'已推算更正号码的记录及其当时版本 / Records with a mistyped number, as they were when their candidates were worked out';

create table identity.repair_candidates (
    system text not null,
    table_name text not null,
    record_key text not null,
    kind text not null check (kind in ('digit', 'transposition')),
    position integer not null check (position between 1 and 18),
    proposed_key text not null,
    birth_on date not null,
    sex_code text not null check (sex_code in ('male', 'female')),
    is_single boolean not null,
    primary key (system, table_name, record_key, proposed_key)
);
create index repair_candidates_by_key on identity.repair_candidates (proposed_key);
create index repair_candidates_single on identity.repair_candidates (birth_on) where is_single;
comment on column identity.repair_candidates.is_single is
'该出生日期下唯一可能的号码 / No other candidate of the record gives this birth date';
comment on table identity.repair_candidates is
'一次笔误可还原成的号码，只存密钥令牌 / Numbers one slip away from a mistyped one, as keyed tokens: a supporting record may come later';

create table identity.repair_progress (
    only_row boolean primary key default true check (only_row),
    through_changed_at timestamptz
);
comment on table identity.repair_progress is '查找佐证记录的进度 / Up to which change supporting records were looked for';

alter table identity.repair_proposals add column other_changed_at timestamptz;
comment on column identity.repair_proposals.other_changed_at is
'佐证记录当时的版本 / The supporting record as it was: once it changes, the proposal is looked at again';

grant select, insert, update, delete on identity.repair_records, identity.repair_candidates, identity.repair_progress
to cityhub_pipeline;
