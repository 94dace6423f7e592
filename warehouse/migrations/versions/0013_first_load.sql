-- What tells records apart goes first in every key: a comparison then ends at the first column (a sort of six million
-- rows takes half the time), and no key begins with a column that has two values.
alter table identity.subjects drop constraint subjects_subject_kind_minted_system_minted_table_minted_key_key;
alter table identity.subjects add constraint subjects_minted_for_key
unique (minted_key, minted_table, minted_system, subject_kind, minted_ordinal);
alter table identity.identifiers drop constraint identifiers_pkey;
alter table identity.identifiers add primary key (identifier, subject_kind);
drop index identity.links_by_record;
create index links_by_record on identity.links (record_key, table_name, system, subject_kind, link_id desc);
alter table identity.pairs drop constraint pairs_pkey;
alter table identity.pairs add primary key
(left_key, left_table, left_system, right_key, right_table, right_system, subject_kind);
drop index identity.pairs_by_right;
create index pairs_by_right on identity.pairs (right_key, right_table, right_system, subject_kind);

create or replace view identity.current_links as
select distinct on (record_key, table_name, system, subject_kind)
    subject_kind, system, table_name, record_key, subject_id, method, probability, model_version, linked_at, link_id
from identity.links
order by record_key, table_name, system, subject_kind, link_id desc;

-- The first load of a whole city writes 24 million rows into empty ledgers. Checking each of them against nine indexes
-- and four foreign keys takes ten times as long as checking them all together at the end, so the first load, and no
-- other, may take the constraints off and has to put them on again before it can commit.
create table identity.first_load (
    ordinal integer primary key,
    take_off text not null,
    put_on text not null
);
comment on table identity.first_load is
'首次装载期间摘下的约束；提交前必须装回，平时为空 / Constraints that a first load under way has taken off; empty otherwise';

create function identity.begin_first_load() returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    ledgers constant regclass[] := array[
        'identity.subjects', 'identity.identifiers', 'identity.links', 'identity.events'
    ]::regclass[];
    ledger regclass;
    has_rows boolean;
    statement text;
begin
    foreach ledger in array ledgers loop
        execute format('lock table %s in access exclusive mode', ledger);
        execute format('select exists (select 1 from %s)', ledger) into has_rows;
        if has_rows then
            raise exception 'The ledger % is not empty: only a first load may take its constraints off.', ledger
                using errcode = 'object_not_in_prerequisite_state';
        end if;
    end loop;
    insert into identity.first_load (ordinal, take_off, put_on)
    select row_number() over (order by held.rank, held.name), held.take_off, held.put_on
    from (
        -- Keys before indexes before what refers to keys; taken off in the opposite order.
        select
            case c.contype when 'f' then 3 else 1 end as rank, c.conname as name,
            format('alter table %s drop constraint %I', c.conrelid::regclass, c.conname) as take_off,
            format('alter table %s add constraint %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
                as put_on
        from pg_constraint as c
        where (c.contype in ('p', 'u') and c.conrelid = any(ledgers)) or (c.contype = 'f' and c.confrelid = any(ledgers))
        union all
        select 2, i.indexrelid::regclass::text, format('drop index %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
        from pg_index as i
        where i.indrelid = any(ledgers) and not exists (select 1 from pg_constraint as c where c.conindid = i.indexrelid)
    ) as held;
    for statement in select f.take_off from identity.first_load as f order by f.ordinal desc loop
        execute statement;
    end loop;
end
$$;
comment on function identity.begin_first_load() is
'首次装载：账本为空时摘下约束 / Takes the constraints off ledgers that are empty; the same transaction must put them on again';

create function identity.end_first_load() returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    statement text;
begin
    for statement in select f.put_on from identity.first_load as f order by f.ordinal loop
        execute statement;
    end loop;
    delete from identity.first_load;
end
$$;
comment on function identity.end_first_load() is '首次装载：装回全部约束 / Puts every constraint on again, checking all rows together';

create function identity.refuse_open_first_load() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select 1 from identity.first_load) then
        raise exception 'A first load would have left the identity ledgers without their constraints.'
            using errcode = 'object_not_in_prerequisite_state', hint = 'call identity.end_first_load() before the commit';
    end if;
    return null;
end
$$;
create constraint trigger ended after insert on identity.first_load
deferrable initially deferred for each row execute function identity.refuse_open_first_load();

revoke execute on function identity.begin_first_load(), identity.end_first_load() from public;
grant execute on function identity.begin_first_load(), identity.end_first_load() to cityhub_pipeline;
