alter table ops.source_states
    add column swept_on date,
    add column new_columns text[] not null default '{}';
alter table ops.batches
    add column new_columns text[] not null default '{}';
comment on column ops.source_states.swept_on is
'最近一次全量核对的业务日；仅增量表 / Business date of the last pull that carried every row; incremental tables only';
comment on column ops.source_states.new_columns is
'来源有而契约没有的列 / Columns the source has and the contract does not';
comment on column ops.batches.new_columns is
'来源有而契约没有的列 / Columns the source had and the contract did not';

create table ops.allowances (
    allowance_id bigint generated always as identity primary key,
    batch_id bigint not null references ops.batches (batch_id),
    system text not null,
    table_name text not null,
    gone_count bigint not null,
    before_count bigint not null,
    allowed_by text not null check (allowed_by <> ''),
    why text not null check (why <> ''),
    allowed_at timestamptz not null default now()
);
comment on table ops.allowances is
'超限缩减的放行记录，只增不改 / Batches let through though they lose more rows than their contract allows: by whom and why';
grant select, insert on ops.allowances to cityhub_pipeline;

create or replace view quality.system_states as
select
    s.system, s.table_name, s.state, s.state_since,
    b.read_count, b.inserted_count, b.updated_count, b.unchanged_count, b.deleted_count, b.quarantined_count,
    s.cursor, s.as_of, s.last_error, s.swept_on, s.new_columns
from ops.source_states as s
left join ops.batches as b on b.batch_id = s.last_batch_id;

create view quality.allowances as
select allowance_id, batch_id, system, table_name, gone_count, before_count, allowed_by, why, allowed_at
from ops.allowances;
grant select on quality.allowances to cityhub_reader, cityhub_pipeline;
