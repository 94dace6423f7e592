-- ops ------------------------------------------------------------------------------------------------------------
create table ops.runs (
    run_id text primary key,
    business_date date,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    state text not null default 'running' check (state in ('running', 'released', 'unchanged', 'refused', 'failed')),
    fingerprint text
);
comment on table ops.runs is '运行记录：一次调度一行 / One row per run of the job';

create table ops.batches (
    batch_id bigint generated always as identity primary key,
    run_id text not null,
    system text not null,
    table_name text not null,
    load_mode text not null check (load_mode in ('snapshot', 'incremental', 'append')),
    state text not null default 'loading' check (state in ('loading', 'admitted', 'held', 'failed')),
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    read_count bigint not null default 0,
    inserted_count bigint not null default 0,
    updated_count bigint not null default 0,
    unchanged_count bigint not null default 0,
    deleted_count bigint not null default 0,
    quarantined_count bigint not null default 0,
    rejected_count bigint not null default 0,
    cursor_from text,
    cursor_to text,
    as_of timestamptz,
    contract_version text not null,
    reason text,
    -- Law 1. A held batch is kept whole in quarantine, a failed one delivered nothing.
    constraint nothing_is_lost check (
        state = 'loading'
        or read_count = inserted_count + updated_count + unchanged_count + quarantined_count
    )
);
create index batches_by_table on ops.batches (system, table_name, batch_id desc);
create index batches_by_run on ops.batches (run_id);
comment on table ops.batches is '批次台账：每次接入一行 / Batch ledger: one row per landing of one table';
comment on column ops.batches.rejected_count is
'自身有错的行数；被暂扣的批次中小于 quarantined_count / Rows with reasons of their own; below quarantined_count when the whole batch is held';

create table ops.source_states (
    system text not null,
    table_name text not null,
    state text not null default 'never' check (state in ('never', 'admitted', 'held', 'stale')),
    state_since timestamptz not null default now(),
    cursor text,
    as_of timestamptz,
    last_batch_id bigint,
    last_admitted_batch_id bigint,
    content_version bigint not null default 0,
    last_error text,
    freshness_hours integer,
    primary key (system, table_name)
);
comment on table ops.source_states is '各来源表当前状态 / Current state of every source table';
comment on column ops.source_states.content_version is
'内容每变一次加一；下游据此判断是否需要重算 / Moves only when an admitted batch changed rows: downstream work keys on it';

create table ops.access_log (
    access_id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    database_role text not null,
    purpose text not null,
    detail text,
    row_count integer
);
comment on table ops.access_log is '访问日志：不含查询值 / Who looked up what kind of thing; never the values asked for';

-- quarantine -----------------------------------------------------------------------------------------------------
create table quarantine.rejected_rows (
    rejected_id bigint generated always as identity primary key,
    system text not null,
    table_name text not null,
    row_key text,
    row_digest text not null,
    payload jsonb not null,
    reasons jsonb not null,
    position jsonb not null,
    first_batch_id bigint not null,
    last_batch_id bigint not null,
    status text not null default 'open' check (status in ('open', 'sent', 'repaired', 'waived')),
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    unique (system, table_name, row_digest)
);
comment on table quarantine.rejected_rows is '被拒行：原值、全部原因与出处 / Rejected rows: as received, with every reason and position';

-- identity -------------------------------------------------------------------------------------------------------
create table identity.subjects (
    subject_id text primary key,
    subject_kind text not null check (subject_kind in ('resident', 'enterprise')),
    minted_system text not null,
    minted_table text not null,
    minted_key text not null,
    minted_ordinal integer not null default 0,
    minted_run_id text not null,
    minted_at timestamptz not null default now(),
    unique (subject_kind, minted_system, minted_table, minted_key, minted_ordinal)
);
comment on table identity.subjects is '主体编号登记：一经给出，永不复用 / Every id ever given; never re-used';

create table identity.identifiers (
    subject_kind text not null,
    identifier text not null,
    subject_id text not null references identity.subjects (subject_id),
    since_run_id text not null,
    since_at timestamptz not null default now(),
    primary key (subject_kind, identifier),
    -- Law 4: two different certified identifiers never share one id.
    unique (subject_id)
);
comment on table identity.identifiers is '已认证标识与主体一一对应；公民号码只存密钥令牌 / One certified identifier, one subject; citizen numbers as keyed tokens';

create table identity.links (
    link_id bigint generated always as identity primary key,
    subject_kind text not null check (subject_kind in ('resident', 'enterprise')),
    system text not null,
    table_name text not null,
    record_key text not null,
    subject_id text not null references identity.subjects (subject_id),
    method text not null check (method in ('certified', 'own_record')),
    probability double precision not null default 1,
    model_version text,
    run_id text not null,
    linked_at timestamptz not null default now()
);
create index links_by_record on identity.links (subject_kind, system, table_name, record_key, link_id desc);
create index links_by_subject on identity.links (subject_id);
comment on table identity.links is '记录与主体的关联，只增不改 / Record to subject, append-only: the newest row of a record is in force';

create view identity.current_links as
select distinct on (subject_kind, system, table_name, record_key)
    subject_kind, system, table_name, record_key, subject_id, method, probability, model_version, linked_at, link_id
from identity.links
order by subject_kind, system, table_name, record_key, link_id desc;
comment on view identity.current_links is '现行关联 / The link in force of every record ever seen';

create table identity.events (
    event_id bigint generated always as identity primary key,
    subject_kind text not null,
    event text not null check (event in ('minted', 'adopted', 'merged', 'split', 'retired')),
    subject_id text not null references identity.subjects (subject_id),
    other_subject_id text references identity.subjects (subject_id),
    run_id text not null,
    happened_at timestamptz not null default now()
);
create index events_by_subject on identity.events (subject_id);
comment on table identity.events is '主体编号的大事记：合并有去向 / What happened to an id; a merged one names where it went';

-- quality --------------------------------------------------------------------------------------------------------
create table quality.check_results (
    check_id bigint generated always as identity primary key,
    run_id text not null,
    gate text not null check (gate in ('admission', 'release', 'dbt')),
    system text,
    table_name text,
    batch_id bigint,
    check_name text not null,
    severity text not null check (severity in ('error', 'warn')),
    status text not null check (status in ('passed', 'warned', 'failed')),
    observed double precision,
    expected text,
    checked_at timestamptz not null default now()
);
create index check_results_by_run on quality.check_results (run_id, gate);
create index check_results_by_batch on quality.check_results (batch_id);
comment on table quality.check_results is '质量检查结果：只有计数与占比，没有行值 / Check results: counts and shares, never row values';

-- release --------------------------------------------------------------------------------------------------------
create table release.releases (
    release_id bigint generated always as identity primary key,
    run_id text not null,
    business_date date not null,
    published_at timestamptz not null default now(),
    fingerprint text,
    tables jsonb not null default '{}',
    systems jsonb not null default '{}',
    checks jsonb not null default '{}'
);
comment on table release.releases is '发布记录 / One row per release';

create table release.pointer (
    only_row boolean primary key default true check (only_row),
    release_id bigint not null references release.releases (release_id)
);
comment on table release.pointer is '当前发布 / The release readers see';

-- what readers may see of the ledgers ------------------------------------------------------------------------------
create view quality.system_states as
select
    s.system, s.table_name, s.state, s.state_since,
    b.read_count, b.inserted_count, b.updated_count, b.unchanged_count, b.deleted_count, b.quarantined_count,
    s.cursor, s.as_of, s.last_error
from ops.source_states as s
left join ops.batches as b on b.batch_id = s.last_batch_id;

create view quality.batches as
select
    batch_id, run_id, system, table_name, load_mode, state, started_at, finished_at,
    read_count, inserted_count, updated_count, unchanged_count, deleted_count, quarantined_count, rejected_count,
    as_of, contract_version, reason
from ops.batches;

create view quality.quarantine_summary as
select
    r.system, r.table_name, reason ->> 'rule' as rule, reason ->> 'severity' as severity, r.status,
    count(*) as rows, min(r.first_seen_at) as first_seen_at, max(r.last_seen_at) as last_seen_at
from quarantine.rejected_rows as r
cross join lateral jsonb_array_elements(r.reasons) as reason
group by r.system, r.table_name, reason ->> 'rule', reason ->> 'severity', r.status;

create view quality.releases as
select
    r.release_id, r.run_id, r.business_date, r.published_at, r.tables, r.systems, r.checks,
    r.release_id = p.release_id as is_current
from release.releases as r
left join release.pointer as p on true;

-- rights -----------------------------------------------------------------------------------------------------------
grant usage on schema ops, quarantine, identity, release, shared, scorecards, quality to cityhub_pipeline;
grant create on schema quarantine, identity, release, shared, scorecards to cityhub_pipeline;
grant select, insert, update on all tables in schema ops, quarantine, identity, quality, release to cityhub_pipeline;
-- Links, events and ids are append-only and results are never rewritten: the right to change them is not given.
revoke update on identity.links, identity.events, identity.subjects, quality.check_results, ops.access_log
from cityhub_pipeline;
grant delete on quarantine.rejected_rows to cityhub_pipeline;
grant usage on schema shared, scorecards, quality to cityhub_reader;
grant select on all tables in schema quality to cityhub_reader;
