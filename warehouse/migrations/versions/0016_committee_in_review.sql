-- The model compares neighbourhoods, so clerks see them too. Committee codes are no personal value: readers see them as
-- they are. Which attributes stand side by side is a function of its own now; the rest of review_pair is as it was.
create function identity.review_attributes(subject_kind text) returns text[]
language sql immutable parallel safe
return case subject_kind
    when 'resident' then array[
        'name', 'citizen_no', 'citizen_no_grade', 'birth_on', 'sex_code', 'phone', 'home_address', 'town_code',
        'near_committee_code', 'role', 'updated_at', 'subject_id'
    ]
    else array[
        'name', 'enterprise_key', 'enterprise_grade', 'address', 'town_code', 'role', 'updated_at', 'subject_id'
    ]
end;
comment on function identity.review_attributes(text) is
'并排比较的属性，依次列出 / The attributes that stand side by side, in order';
revoke execute on function identity.review_attributes(text) from public;

create or replace function identity.review_pair(item_id bigint, clerk text, via text)
returns table (attribute text, left_value text, right_value text, comparison text, positions integer[])
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    item identity.review_items;
    cards jsonb[];
begin
    if identity.clerk_key($2) = '' then
        raise exception 'Nobody is named as looking at this pair.' using errcode = 'RV003',
            detail = 'the name of the clerk', hint = 'give your name';
    end if;
    select * into item from identity.review_items as i where i.item_id = $1;
    if not found then
        raise exception 'There is no review item %.', $1 using errcode = 'RV001',
            detail = 'the number of an item in the queue', hint = 'list the queue and choose one of its items';
    end if;
    cards := array[
        identity.record_card(item.subject_kind, item.left_system, item.left_table, item.left_key),
        identity.record_card(item.subject_kind, item.right_system, item.right_table, item.right_key)
    ];
    insert into ops.access_log (database_role, purpose, detail, row_count)
    values (
        coalesce(nullif(current_setting('role', true), 'none'), session_user), 'review_pair',
        format('item %s by %s via %s', $1, btrim($2), $3), (cards[1] is not null)::integer + (cards[2] is not null)::integer
    );
    return query
    with wanted as (
        select name, ordinal
        from unnest(identity.review_attributes(item.subject_kind)) with ordinality as a (name, ordinal)
    ),

    found as (
        select w.name, w.ordinal, side.side, nullif(btrim(case w.name
            -- A number that did not certify is kept as written.
            when 'citizen_no' then coalesce(
                cards[side.side] ->> 'citizen_no',
                upper(regexp_replace(normalize(cards[side.side] ->> 'citizen_no_written', nfkc), '\s', '', 'g'))
            )
            when 'subject_id' then (
                select l.subject_id from identity.current_links as l
                where
                    l.subject_kind = item.subject_kind
                    and (l.system, l.table_name, l.record_key) = (
                        case side.side when 1 then item.left_system else item.right_system end,
                        case side.side when 1 then item.left_table else item.right_table end,
                        case side.side when 1 then item.left_key else item.right_key end
                    )
            )
            else cards[side.side] ->> w.name
        end), '') as value
        from wanted as w cross join (values (1), (2)) as side (side)
    ),

    paired as (
        select l.name, l.ordinal, l.value as l_value, r.value as r_value,
            identity.differing_positions(l.value, r.value) as differing
        from found as l inner join found as r on r.name = l.name and r.side = 2
        where l.side = 1
    )

    select
        p.name, identity.mask_value(item.subject_kind, p.name, p.l_value),
        identity.mask_value(item.subject_kind, p.name, p.r_value),
        case
            when p.l_value is null and p.r_value is null then 'both_missing'
            when p.l_value is null or p.r_value is null then 'one_missing'
            when p.l_value = p.r_value then 'same'
            when p.differing = '{}' then 'visible_same'
            else 'different'
        end,
        -- Day and month are hidden, a digit that differs may be pointed at; of an address or an id it means nothing.
        case when p.name in ('name', 'citizen_no', 'birth_on', 'phone') then coalesce(p.differing, '{}') else '{}' end
    from paired as p
    order by p.ordinal;
end
$$;
