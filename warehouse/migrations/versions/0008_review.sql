-- Review by two people. The rule stands here and nowhere else: command line and page call the same functions, and no
-- role of the hub may write an opinion or a decision in another way.
revoke insert on identity.opinions, identity.decisions from cityhub_pipeline;

alter table identity.opinions
add column entered_by text not null default session_user;
comment on column identity.opinions.entered_by is '录入所用的数据库登录 / The database login it came in by';
alter table identity.decisions
add column through_opinion_id bigint not null default 0;
comment on column identity.decisions.through_opinion_id is
'据以认定的最后一条意见；此后的意见另行计数 / The opinion that completed it: later ones count towards the next decision';

-- records ----------------------------------------------------------------------------------------------------------
-- dbt rebuilds the tables of records and their grants with them, so whoever owns them has to read them: the pipeline.
set role cityhub_pipeline;
create function identity.record_card(subject_kind text, system text, table_name text, record_key text)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    relation constant regclass := to_regclass(
        case $1 when 'resident' then 'identity.int_person_records' else 'identity.int_enterprise_records' end
    );
    card jsonb;
begin
    if relation is not null then
        execute format(
            'select to_jsonb(r) from %s as r where r.system = $1 and r.table_name = $2 and r.record_key = $3', relation
        ) into card using $2, $3, $4;
    end if;
    return card;
end
$$;
comment on function identity.record_card(text, text, text, text) is
'一条记录的全部内容，未脱敏，仅供本库函数使用 / One record, unmasked: for the functions of this schema alone';
revoke execute on function identity.record_card(text, text, text, text) from public;
grant execute on function identity.record_card(text, text, text, text) to cityhub_owner;
set role cityhub_owner;

create function identity.certified_number(subject_kind text, card jsonb) returns text
language sql immutable parallel safe
return case
    when subject_kind = 'resident' and card ->> 'citizen_no_grade' = 'certified' then nullif(card ->> 'citizen_no_key', '')
    when subject_kind = 'enterprise' and card ->> 'enterprise_grade' = 'certified' then nullif(card ->> 'enterprise_key', '')
end;

-- Two spellings of one name are one clerk: width, case and blanks do not make a second person.
create function identity.clerk_key(clerk text) returns text
language sql immutable parallel safe
return lower(regexp_replace(normalize(coalesce(clerk, ''), nfkc), '\s+', '', 'g'));

create view identity.decisions_in_force as
select distinct on (
    subject_kind, left_system, left_table, left_key, right_system, right_table, right_key
) *
from identity.decisions
order by
    subject_kind, left_system, left_table, left_key, right_system, right_table, right_key, decision_id desc;
comment on view identity.decisions_in_force is '现行认定 / The decision in force of every pair';

-- What counts now: of every clerk the newest opinion given since the last decision on the item.
create view identity.opinions_in_force as
select distinct on (o.item_id, identity.clerk_key(o.clerk)) o.*
from identity.opinions as o
where o.opinion_id > coalesce(
    (select max(d.through_opinion_id) from identity.decisions as d where d.item_id = o.item_id), 0
)
order by o.item_id, identity.clerk_key(o.clerk), o.opinion_id desc;
comment on view identity.opinions_in_force is '现行意见：每人以最近一条为准 / The opinions that count towards the next decision';

-- queue ------------------------------------------------------------------------------------------------------------
create view identity.review_queue as
select
    i.item_id, i.subject_kind, i.left_system, i.left_table, i.left_key, i.right_system, i.right_table, i.right_key,
    i.reason, i.conflict, i.probability, i.match_weight, i.waterfall, i.state, i.opened_at, i.closed_at,
    (select count(*) from identity.opinions_in_force as o where o.item_id = i.item_id)::integer as opinion_count,
    d.verdict as decision, d.decided_by, d.decided_at,
    coalesce(p.proposals, '[]') as proposals
from identity.review_items as i
left join lateral (
    select found.verdict, found.decided_by, found.decided_at from identity.decisions as found
    where
        (found.subject_kind, found.left_system, found.left_table, found.left_key)
        = (i.subject_kind, i.left_system, i.left_table, i.left_key)
        and (found.right_system, found.right_table, found.right_key) = (i.right_system, i.right_table, i.right_key)
    order by found.decision_id desc limit 1
) as d on true
left join lateral (
    select
        jsonb_agg(jsonb_build_object(
            'proposal_id', r.proposal_id, 'side',
            case when (r.system, r.table_name, r.record_key) = (i.left_system, i.left_table, i.left_key)
                then 'left' else 'right' end,
            'kind', r.kind, 'position', r.position, 'evidence', r.evidence, 'state', r.state
        ) order by r.proposal_id) as proposals
    from identity.repair_proposals as r where r.item_id = i.item_id
) as p on true;
comment on view identity.review_queue is '复核队列，不含任何取值 / The queue as clerks list it: no value of any record';
create index repair_proposals_by_item on identity.repair_proposals (item_id);

-- looking at a pair --------------------------------------------------------------------------------------------------
-- A resident's values as readers see them; what is known of a firm is public.
create function identity.mask_value(subject_kind text, attribute text, value text) returns text
language sql immutable parallel safe
return case
    when subject_kind = 'enterprise' then value
    when attribute = 'name' then shared.mask_name(value)
    when attribute = 'citizen_no' then shared.mask_citizen_no(value)
    when attribute = 'birth_on' then left(value, 4) || '-**-**'
    when attribute = 'phone' then shared.mask_phone(value)
    when attribute = 'home_address' then shared.mask_address(value)
    else value
end;

-- Where two texts of one length differ, counted from 1; a character that the source masked differs from nothing.
create function identity.differing_positions(left_value text, right_value text) returns integer[]
language sql immutable parallel safe
return case
    when length(left_value) = length(right_value) then (
        select coalesce(array_agg(n order by n), '{}')
        from generate_series(1, length(left_value)) as n
        where
            substr(left_value, n, 1) <> substr(right_value, n, 1)
            and '*' not in (substr(left_value, n, 1), substr(right_value, n, 1))
    )
end;

create function identity.review_pair(item_id bigint, clerk text, via text)
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
        from unnest(case item.subject_kind
            when 'resident' then array[
                'name', 'citizen_no', 'citizen_no_grade', 'birth_on', 'sex_code', 'phone', 'home_address', 'town_code',
                'role', 'updated_at', 'subject_id'
            ]
            else array[
                'name', 'enterprise_key', 'enterprise_grade', 'address', 'town_code', 'role', 'updated_at', 'subject_id'
            ]
        end) with ordinality as a (name, ordinal)
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
comment on function identity.review_pair(bigint, text, text) is
'并排比较一对记录：脱敏取值与不同之处，逐次留痕 / Both records side by side, masked, with what differs; every look is logged';

create function identity.review_opinions(item_id bigint, clerk text)
returns table (opinion_id bigint, clerk_name text, verdict text, why text, given_at timestamptz, is_in_force boolean)
language sql stable security definer
set search_path = pg_catalog, pg_temp
-- Who has not spoken yet judges by the records, not by a colleague: verdicts show once an item is decided or disputed.
begin atomic
    select
        o.opinion_id, o.clerk,
        case when shown.is_open then o.verdict end, case when shown.is_open then o.why end, o.given_at,
        exists (select 1 from identity.opinions_in_force as f where f.opinion_id = o.opinion_id)
    from identity.opinions as o
    cross join lateral (
        select
            exists (
                select 1 from identity.review_items as i
                where i.item_id = o.item_id and i.state in ('decided', 'disputed', 'superseded')
            )
            or exists (
                select 1 from identity.opinions as mine
                where mine.item_id = o.item_id and identity.clerk_key(mine.clerk) = identity.clerk_key($2)
            ) as is_open
    ) as shown
    where o.item_id = $1
    order by o.opinion_id;
end;
comment on function identity.review_opinions(bigint, text) is
'某项的意见；本人未表态前不显示他人结论 / Opinions on an item; verdicts of others are hidden until one''s own is given';

-- the rule of two ----------------------------------------------------------------------------------------------------
-- Refuses what the certified numbers, or other decisions in force, already rule out.
create function identity.require_possible(item identity.review_items, verdict text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    item constant identity.review_items := $1;
    numbers text[];
    other bigint;
begin
    select array_agg(identity.certified_number(item.subject_kind, side.card) order by side.n) into numbers
    from (values
        (1, identity.record_card(item.subject_kind, item.left_system, item.left_table, item.left_key)),
        (2, identity.record_card(item.subject_kind, item.right_system, item.right_table, item.right_key))
    ) as side (n, card)
    where side.card is not null;
    if coalesce(cardinality(numbers), 0) < 2 then
        raise exception 'A record of review item % is no longer there.', item.item_id using errcode = 'RV007',
            detail = 'two records that their systems still hold', hint = 'leave it: the next run closes the item';
    end if;
    if $2 = 'different' and numbers[1] = numbers[2] then
        raise exception 'Both records of review item % carry the same certified number.', item.item_id
            using errcode = 'RV005', detail = 'a certified number belongs to one subject',
            hint = 'if one of them carries it wrongly, have its department correct the number at the source';
    end if;

    with recursive ties as (
        select array[d.left_system, d.left_table, d.left_key] as one,
            array[d.right_system, d.right_table, d.right_key] as other, d.verdict, d.decision_id
        from identity.decisions_in_force as d
        where
            d.subject_kind = item.subject_kind
            and (d.left_system, d.left_table, d.left_key, d.right_system, d.right_table, d.right_key) <> (
                item.left_system, item.left_table, item.left_key,
                item.right_system, item.right_table, item.right_key
            )
    ),

    tied as (
        select array[item.left_system, item.left_table, item.left_key] as record
        union
        select array[item.right_system, item.right_table, item.right_key] where $2 = 'same'
        union
        select case when t.one = r.record then t.other else t.one end
        from tied as r inner join ties as t on t.verdict = 'must_link' and r.record in (t.one, t.other)
    )

    select
        array(
            select distinct identity.certified_number(
                item.subject_kind, identity.record_card(item.subject_kind, g.record[1], g.record[2], g.record[3])
            ) from tied as g
        ),
        case $2
            when 'same' then (
                select min(t.decision_id) from ties as t
                where
                    t.verdict = 'cannot_link'
                    and t.one in (select g.record from tied as g) and t.other in (select g.record from tied as g)
            )
            else (
                select min(t.decision_id) from ties as t
                where
                    array[item.right_system, item.right_table, item.right_key] in (select g.record from tied as g)
                    and t.verdict = 'must_link' and t.one in (select g.record from tied as g)
            )
        end
    into numbers, other;

    if $2 = 'same' and cardinality(array_remove(numbers, null)) > 1 then
        raise exception 'Review item % would join two different certified numbers.', item.item_id
            using errcode = 'RV004',
            detail = 'at most one certified number among the records joined, those of earlier decisions included',
            hint = 'judge them different; if a number is wrong, have its department correct it at the source';
    end if;
    if other is not null then
        raise exception 'Review item % contradicts decision %.', item.item_id, other using errcode = 'RV006',
            detail = 'decisions in force that can all be true together',
            hint = 'have two people revise that decision first';
    end if;
end
$$;

create function identity.give_opinion(item_id bigint, clerk text, verdict text, why text)
returns table (state text, decision text, decided_by text[], decision_id bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    item identity.review_items;
    wanted constant text := case $3 when 'same' then 'must_link' when 'different' then 'cannot_link' end;
    in_force text;
    opinion bigint;
    agreed text[];
    is_opposed boolean;
    next_state text;
    made bigint;
begin
    if identity.clerk_key($2) = '' or btrim(coalesce($4, '')) = '' or wanted is null then
        raise exception 'An opinion needs a name, a verdict and a reason.' using errcode = 'RV003',
            detail = 'who says it; same or different; why', hint = 'give all three';
    end if;
    -- One opinion at a time: the rule looks at other opinions of the item and at decisions on other pairs.
    perform pg_advisory_xact_lock(724310122);
    select * into item from identity.review_items as i where i.item_id = $1 for update;
    if not found then
        raise exception 'There is no review item %.', $1 using errcode = 'RV001',
            detail = 'the number of an item in the queue', hint = 'list the queue and choose one of its items';
    end if;
    if item.state = 'superseded' then
        raise exception 'Review item % was closed by a later linkage.', $1 using errcode = 'RV002',
            detail = 'an item that is open, disputed or decided', hint = 'nothing is left to decide about this pair';
    end if;
    perform identity.require_possible(item, $3);

    insert into identity.opinions (item_id, clerk, verdict, why)
    values ($1, btrim($2), $3, btrim($4)) returning opinions.opinion_id into opinion;
    select d.verdict into in_force from identity.decisions_in_force as d
    where
        (d.subject_kind, d.left_system, d.left_table, d.left_key, d.right_system, d.right_table, d.right_key) = (
            item.subject_kind, item.left_system, item.left_table, item.left_key,
            item.right_system, item.right_table, item.right_key
        );
    select
        array_agg(o.clerk order by o.opinion_id) filter (where o.verdict = $3), bool_or(o.verdict <> $3)
    into agreed, is_opposed
    from identity.opinions_in_force as o where o.item_id = $1;

    if wanted is not distinct from in_force then
        -- Nothing new to decide: the decision in force stands, opposed or not.
        next_state := case when is_opposed then 'disputed' else 'decided' end;
    elsif cardinality(agreed) >= 2 then
        insert into identity.decisions (
            subject_kind, left_system, left_table, left_key, right_system, right_table, right_key,
            verdict, item_id, decided_by, through_opinion_id
        )
        values (
            item.subject_kind, item.left_system, item.left_table, item.left_key,
            item.right_system, item.right_table, item.right_key, wanted, $1, agreed, opinion
        ) returning decisions.decision_id into made;
        next_state := 'decided';
    else
        next_state := case when is_opposed or in_force is not null then 'disputed' else 'open' end;
    end if;

    update identity.review_items as i
    set state = next_state, closed_at = case when next_state = 'decided' then coalesce(i.closed_at, now()) end
    where i.item_id = $1;
    if made is not null then
        update identity.repair_proposals as p
        set state = case $3 when 'same' then 'accepted' else 'refused' end, settled_at = now()
        where p.item_id = $1 and p.state <> 'superseded';
    end if;
    insert into ops.access_log (database_role, purpose, detail, row_count)
    values (
        coalesce(nullif(current_setting('role', true), 'none'), session_user), 'give_opinion',
        format('item %s by %s: %s', $1, btrim($2), $3), 1
    );
    return query
    select
        next_state, case when made is null then in_force else wanted end,
        (select d.decided_by from identity.decisions_in_force as d where d.item_id = $1), made;
end
$$;
comment on function identity.give_opinion(bigint, text, text, text) is
'给出复核意见；两名不同人员一致即成认定 / Give an opinion; two different people who agree make a decision';

-- rights -------------------------------------------------------------------------------------------------------------
revoke execute on function
identity.certified_number(text, jsonb),
identity.clerk_key(text),
identity.mask_value(text, text, text),
identity.differing_positions(text, text),
identity.review_pair(bigint, text, text),
identity.review_opinions(bigint, text),
identity.require_possible(identity.review_items, text),
identity.give_opinion(bigint, text, text, text)
from public;
-- Clerks list the queue, look at a pair, give an opinion: no table of records, opinions or decisions is open to them.
grant usage on schema identity to cityhub_clerk;
grant select on identity.review_queue to cityhub_clerk;
grant execute on function
identity.review_pair(bigint, text, text),
identity.review_opinions(bigint, text),
identity.give_opinion(bigint, text, text, text)
to cityhub_clerk;
-- Whoever reads a view calls the functions in it by his own right.
grant execute on function identity.clerk_key(text) to cityhub_clerk, cityhub_pipeline;
grant select on identity.decisions_in_force, identity.opinions_in_force, identity.review_queue to cityhub_pipeline;
