-- A pair names its two records in order: (left_system, left_table, left_key) < (right_system, right_table, right_key).
create table identity.linkage_runs (
    run_id text not null,
    subject_kind text not null check (subject_kind in ('resident', 'enterprise')),
    mode text not null check (mode in ('full', 'incremental')),
    engine text not null check (engine in ('duckdb', 'spark')),
    model_version text not null,
    rules_digest text not null,
    records_count bigint not null,
    compared_records_count bigint not null,
    pairs_count bigint not null,
    through_changed_at timestamptz,
    finished_at timestamptz not null default now(),
    primary key (run_id, subject_kind)
);
comment on table identity.linkage_runs is '每次比对的范围与模型 / What each linkage compared, by which model, up to which change';

create table identity.pairs (
    subject_kind text not null check (subject_kind in ('resident', 'enterprise')),
    left_system text not null, left_table text not null, left_key text not null,
    right_system text not null, right_table text not null, right_key text not null,
    probability double precision not null,
    match_weight double precision not null,
    -- [{"comparison": …, "level": …, "weight": bits}]: levels and weights only, never a value.
    waterfall jsonb not null,
    model_version text not null,
    run_id text not null,
    scored_at timestamptz not null default now(),
    primary key (subject_kind, left_system, left_table, left_key, right_system, right_table, right_key)
);
create index pairs_by_right on identity.pairs (subject_kind, right_system, right_table, right_key);
comment on table identity.pairs is '达到宽松阈值的记录对 / Pairs of records scored at or above the loose threshold';

create table identity.loose_groups (
    subject_kind text not null check (subject_kind in ('resident', 'enterprise')),
    subject_id text not null references identity.subjects (subject_id),
    loose_id text not null references identity.subjects (subject_id),
    probability double precision not null,
    primary key (subject_kind, subject_id)
);
comment on table identity.loose_groups is '宽松口径（仅供统计）下与其他主体合并的主体 / Subjects that statistics may count as one; never served as one';

create table identity.review_items (
    item_id bigint generated always as identity primary key,
    subject_kind text not null check (subject_kind in ('resident', 'enterprise')),
    left_system text not null, left_table text not null, left_key text not null,
    right_system text not null, right_table text not null, right_key text not null,
    -- between: probability between the thresholds; conflict: a constraint cut the link; repair: a proposed repair.
    reason text not null check (reason in ('between', 'conflict', 'repair')),
    conflict text check (conflict in ('certified', 'register', 'cluster_size', 'bridge', 'cannot_link')),
    probability double precision,
    match_weight double precision,
    waterfall jsonb not null default '[]',
    state text not null default 'open' check (state in ('open', 'decided', 'disputed', 'superseded')),
    opened_run_id text not null,
    opened_at timestamptz not null default now(),
    closed_at timestamptz,
    unique (subject_kind, left_system, left_table, left_key, right_system, right_table, right_key)
);
create index review_items_open on identity.review_items (subject_kind, probability desc) where state in ('open', 'disputed');
comment on table identity.review_items is '人工复核队列 / Pairs that two people must look at';

create table identity.opinions (
    opinion_id bigint generated always as identity primary key,
    item_id bigint not null references identity.review_items (item_id),
    clerk text not null check (clerk <> ''),
    verdict text not null check (verdict in ('same', 'different')),
    why text not null check (why <> ''),
    given_at timestamptz not null default now()
);
create index opinions_by_item on identity.opinions (item_id, opinion_id);
comment on table identity.opinions is '复核意见，只增不改；每人以最近一条为准 / Append-only; a clerk''s newest opinion counts';

create table identity.decisions (
    decision_id bigint generated always as identity primary key,
    subject_kind text not null check (subject_kind in ('resident', 'enterprise')),
    left_system text not null, left_table text not null, left_key text not null,
    right_system text not null, right_table text not null, right_key text not null,
    verdict text not null check (verdict in ('must_link', 'cannot_link')),
    item_id bigint references identity.review_items (item_id),
    decided_by text[] not null check (cardinality(decided_by) >= 2),
    decided_at timestamptz not null default now()
);
create index decisions_by_pair on identity.decisions
(subject_kind, left_system, left_table, left_key, right_system, right_table, right_key, decision_id desc);
comment on table identity.decisions is '两人一致的认定，只增不改，优先于模型 / What two people agreed on: overrides the model; the newest of a pair is in force';

create table identity.repair_proposals (
    proposal_id bigint generated always as identity primary key,
    system text not null,
    table_name text not null,
    record_key text not null,
    kind text not null check (kind in ('digit', 'transposition')),
    -- 1-based position of the digit (the first of the two for a transposition).
    position integer not null check (position between 1 and 18),
    proposed_key text not null,
    -- The record that carries the proposed number, where one does; names of agreeing attributes, never values.
    other_system text, other_table text, other_key text,
    evidence jsonb not null,
    item_id bigint references identity.review_items (item_id),
    state text not null default 'open' check (state in ('open', 'accepted', 'refused', 'superseded')),
    run_id text not null,
    proposed_at timestamptz not null default now(),
    settled_at timestamptz,
    unique (system, table_name, record_key, proposed_key)
);
comment on table identity.repair_proposals is '公民身份号码更正建议：须经复核 / Proposed repairs of citizen numbers: never applied without review';

grant select, insert, update, delete on identity.pairs, identity.loose_groups to cityhub_pipeline;
grant select, insert, update on identity.review_items, identity.repair_proposals to cityhub_pipeline;
grant select, insert on identity.linkage_runs, identity.opinions, identity.decisions to cityhub_pipeline;
