-- An id is the hash of what its subject was minted for, so the key of `subjects` tells twice the same already; who was
-- minted for a record is found by that record's links. The index was 700 MB at six million residents, read by nobody.
alter table identity.subjects drop constraint subjects_minted_for_key;

-- A first load is written in two parts: the certified records, and, when these have been compared, the others. What the
-- first part completes is checked while the second is still being compared.
alter table identity.first_load add column ledger regclass not null;

create or replace function identity.begin_first_load() returns void
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
    insert into identity.first_load (ordinal, ledger, take_off, put_on)
    select row_number() over (order by held.rank, held.name), held.ledger, held.take_off, held.put_on
    from (
        -- Keys before indexes before what refers to keys; taken off in the opposite order.
        select
            case c.contype when 'f' then 3 else 1 end as rank, c.conname as name, c.conrelid::regclass as ledger,
            format('alter table %s drop constraint %I', c.conrelid::regclass, c.conname) as take_off,
            format('alter table %s add constraint %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
                as put_on
        from pg_constraint as c
        where (c.contype in ('p', 'u') and c.conrelid = any(ledgers)) or (c.contype = 'f' and c.confrelid = any(ledgers))
        union all
        select 2, i.indexrelid::regclass::text, i.indrelid::regclass, format('drop index %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
        from pg_index as i
        where i.indrelid = any(ledgers) and not exists (select 1 from pg_constraint as c where c.conindid = i.indexrelid)
    ) as held;
    for statement in select f.take_off from identity.first_load as f order by f.ordinal desc loop
        execute statement;
    end loop;
    -- A table made anew in the transaction that fills it need not go into the log of a server that nobody takes the log of.
    truncate identity.subjects, identity.identifiers, identity.links, identity.events;
    if not exists (select 1 from identity.pairs) then
        truncate identity.pairs;
    end if;
end
$$;

drop function identity.end_first_load();
create function identity.end_first_load(complete regclass[] default null) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    held record;
begin
    for held in
        select f.ordinal, f.put_on from identity.first_load as f
        where complete is null or f.ledger = any(complete) order by f.ordinal
    loop
        execute held.put_on;
        delete from identity.first_load as f where f.ordinal = held.ordinal;
    end loop;
end
$$;
comment on function identity.end_first_load(regclass[]) is
'首次装载：装回所列账本（缺省为全部）的约束 / Puts the constraints of these ledgers, or of all, on again, checking all rows together';
revoke execute on function identity.end_first_load(regclass[]) from public;
grant execute on function identity.end_first_load(regclass[]) to cityhub_pipeline;
