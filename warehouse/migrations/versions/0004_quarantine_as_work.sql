alter table quarantine.rejected_rows
    add column match_key text,
    add column repair jsonb,
    add column repair_reasons jsonb,
    add column repaired_via text check (repaired_via in ('workbook', 'contract', 'source')),
    add column repaired_key text;
-- Until now the key as received was all that was kept; for text keys it is the key of raw.
update quarantine.rejected_rows set match_key = row_key;
create index rejected_rows_unsettled on quarantine.rejected_rows (system, table_name) where status in ('open', 'sent');
comment on column quarantine.rejected_rows.match_key is '可读主键 / The key in the form of raw; null where it cannot be read';
comment on column quarantine.rejected_rows.repair is '部门最近一次更正后的行 / The row as the department last repaired it';
comment on column quarantine.rejected_rows.repair_reasons is '最近一次更正仍不合格的原因 / Why that repair was refused; null when none was';
comment on column quarantine.rejected_rows.repaired_via is '修复途径 / How the row was repaired: workbook, newer contract, or the source itself';
comment on column quarantine.rejected_rows.repaired_key is '修复后的主键 / Key under which the repaired row stands in raw';

create table quarantine.decisions (
    decision_id bigint generated always as identity primary key,
    rejected_id bigint not null,
    from_state text not null check (from_state in ('open', 'sent', 'repaired', 'waived')),
    to_state text not null check (to_state in ('open', 'sent', 'repaired', 'waived')),
    via text not null check (via in ('export', 'workbook', 'contract', 'source', 'command')),
    decided_by text not null,
    decided_at timestamptz not null default now(),
    why text not null check (why <> ''),
    batch_id bigint,
    content_digest text,
    contract_version text
);
create index decisions_by_row on quarantine.decisions (rejected_id, decision_id desc);
-- Nothing is replayed twice: one content of one row is judged once under one contract version.
create unique index decisions_once on quarantine.decisions (rejected_id, content_digest, contract_version)
where content_digest is not null;
comment on table quarantine.decisions is '被拒行的处理记录，只增不改 / What was decided about rejected rows: append-only, without row values';

grant select, insert on quarantine.decisions to cityhub_pipeline;
