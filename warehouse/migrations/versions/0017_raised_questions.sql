-- Two things that review lacked: a question about a pair that linkage does not ask about (records already joined, or
-- never compared), and clerks who are known by their login, not by what they type.

-- A clerk's login is his identity provider's word for him (issuer and subject), which he
-- cannot change as he can his name.
alter table identity.opinions add column clerk_login text check (clerk_login <> '');
comment on column identity.opinions.clerk_login is
'统一身份认证的签发方与用户标识；空：姓名自填，未经核实 / Issuer and subject of the login; null: the name was taken on trust';

alter table identity.review_items drop constraint review_items_reason_check;
alter table identity.review_items
add constraint review_items_reason_check check (reason in ('between', 'conflict', 'repair', 'raised'));

create table identity.raised_questions (
    question_id bigint generated always as identity primary key,
    item_id bigint not null references identity.review_items (item_id),
    -- apart: both are one subject now, and somebody says they should not be; together: the other way round.
    asks text not null check (asks in ('apart', 'together')),
    raised_by text not null check (raised_by <> ''),
    clerk_login text check (clerk_login <> ''),
    why text not null check (why <> ''),
    entered_by text not null default session_user,
    raised_at timestamptz not null default now()
);
create index raised_questions_by_item on identity.raised_questions (item_id, question_id desc);
comment on table identity.raised_questions is
'人工提出的疑问，只增不改 / Questions that people raised about two records, append-only';
grant select on identity.raised_questions to cityhub_pipeline;

-- Two spellings of one name are one clerk, two logins are two; a name on trust that a login also bears is that login's.
create or replace view identity.opinions_in_force as
select distinct on (o.item_id, p.person) o.*
from identity.opinions as o
cross join lateral (
    select coalesce(
        'login ' || o.clerk_login,
        (
            select 'login ' || max(known.clerk_login) from identity.opinions as known
            where
                known.item_id = o.item_id and known.clerk_login is not null
                and identity.clerk_key(known.clerk) = identity.clerk_key(o.clerk)
        ),
        'name ' || identity.clerk_key(o.clerk)
    ) as person
) as p
where o.opinion_id > coalesce(
    (select max(d.through_opinion_id) from identity.decisions as d where d.item_id = o.item_id), 0
)
order by o.item_id, p.person, o.opinion_id desc;

create or replace view identity.review_queue as
select
    i.item_id, i.subject_kind, i.left_system, i.left_table, i.left_key, i.right_system, i.right_table, i.right_key,
    i.reason, i.conflict, i.probability, i.match_weight, i.waterfall, i.state, i.opened_at, i.closed_at,
    (select count(*) from identity.opinions_in_force as o where o.item_id = i.item_id)::integer as opinion_count,
    d.verdict as decision, d.decided_by, d.decided_at,
    coalesce(p.proposals, '[]') as proposals,
    q.asks, q.raised_by, q.why as raised_why, q.raised_at
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
) as p on true
left join lateral (
    select asked.asks, asked.raised_by, asked.why, asked.raised_at from identity.raised_questions as asked
    where i.reason = 'raised' and asked.item_id = i.item_id
    order by asked.question_id desc limit 1
) as q on true;

-- small words --------------------------------------------------------------------------------------------------------
-- A record as pages and commands write it.
create function identity.named(record text[]) returns text
language sql immutable parallel safe
return record[1] || '.' || record[2] || ':' || record[3];

create function identity.clerk_named(clerk text, clerk_login text) returns text
language sql immutable parallel safe
return btrim(clerk) || coalesce(' [' || clerk_login || ']', '');

-- What joins a record to others without any model: a certified number, or a firm's old registration number.
create function identity.own_number(subject_kind text, card jsonb) returns text
language sql immutable parallel safe
return coalesce(
    identity.certified_number(subject_kind, card),
    case when subject_kind = 'enterprise' then nullif(card ->> 'enterprise_key', '') end
);

create function identity.card_of(subject_kind text, record text[]) returns jsonb
language sql stable
return identity.record_card(subject_kind, record[1], record[2], record[3]);

create function identity.subject_of(subject_kind text, record text[]) returns text
language sql stable
begin atomic
    select l.subject_id from identity.links as l
    where
        l.subject_kind = $1 and l.system = record[1] and l.table_name = record[2] and l.record_key = record[3]
    order by l.link_id desc limit 1;
end;

-- looking at a pair --------------------------------------------------------------------------------------------------
drop function identity.review_pair(bigint, text, text);
create function identity.review_pair(item_id bigint, clerk text, via text, clerk_login text default null)
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
        format('item %s by %s via %s', $1, identity.clerk_named($2, $4), $3),
        (cards[1] is not null)::integer + (cards[2] is not null)::integer
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
comment on function identity.review_pair(bigint, text, text, text) is
'并排比较一对记录：脱敏取值与不同之处，逐次留痕 / Both records side by side, masked, with what differs; every look is logged';

drop function identity.review_opinions(bigint, text);
create function identity.review_opinions(item_id bigint, clerk text, clerk_login text default null)
returns table (
    opinion_id bigint, clerk_name text, verdict text, why text, given_at timestamptz, is_in_force boolean,
    is_by_login boolean
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
-- Who has not spoken yet judges by the records, not by a colleague: verdicts show once an item is decided or disputed.
begin atomic
    select
        o.opinion_id, o.clerk,
        case when shown.is_open then o.verdict end, case when shown.is_open then o.why end, o.given_at,
        exists (select 1 from identity.opinions_in_force as f where f.opinion_id = o.opinion_id),
        o.clerk_login is not null
    from identity.opinions as o
    cross join lateral (
        select
            exists (
                select 1 from identity.review_items as i
                where i.item_id = o.item_id and i.state in ('decided', 'disputed', 'superseded')
            )
            or exists (
                select 1 from identity.opinions as mine
                where
                    mine.item_id = o.item_id
                    and case
                        when $3 is not null and mine.clerk_login is not null then mine.clerk_login = $3
                        else identity.clerk_key(mine.clerk) = identity.clerk_key($2)
                    end
            ) as is_open
    ) as shown
    where o.item_id = $1
    order by o.opinion_id;
end;
comment on function identity.review_opinions(bigint, text, text) is
'某项的意见；本人未表态前不显示他人结论 / Opinions on an item; verdicts of others are hidden until one''s own is given';

-- the rule of two ----------------------------------------------------------------------------------------------------
-- Refuses what certified numbers, or other decisions in force, already rule out. Records with one certified number are
-- one subject as if they had been decided to be.
create or replace function identity.require_possible(item identity.review_items, verdict text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    item constant identity.review_items := $1;
    one constant text[] := array[item.left_system, item.left_table, item.left_key];
    other constant text[] := array[item.right_system, item.right_table, item.right_key];
    cards constant jsonb[] := array[
        identity.card_of(item.subject_kind, one), identity.card_of(item.subject_kind, other)
    ];
    numbers text[];
    contradicted bigint;
begin
    if cards[1] is null or cards[2] is null then
        raise exception 'Record % is no longer there.',
            identity.named(case when cards[1] is null then one else other end)
            using errcode = 'RV007',
            detail = 'two records that their systems still hold', hint = 'leave it: the next run closes the question';
    end if;
    if $2 = 'different' and identity.own_number(item.subject_kind, cards[1])
        = identity.own_number(item.subject_kind, cards[2])
    then
        raise exception 'Records % and % carry the same number.', identity.named(one), identity.named(other)
            using errcode = 'RV005', detail = 'a certified or registration number belongs to one subject',
            hint = 'if one of them carries it wrongly, have its department correct the number at the source';
    end if;

    with recursive ties as materialized (
        select array[d.left_system, d.left_table, d.left_key] as one,
            array[d.right_system, d.right_table, d.right_key] as other, d.verdict, d.decision_id
        from identity.decisions_in_force as d
        where
            d.subject_kind = item.subject_kind
            and (array[d.left_system, d.left_table, d.left_key], array[d.right_system, d.right_table, d.right_key])
            <> (one, other)
    ),

    tied as (
        select 1 as side, one as record
        union
        select 2, other
        union
        select r.side, case when t.one = r.record then t.other else t.one end
        from tied as r inner join ties as t on t.verdict = 'must_link' and r.record in (t.one, t.other)
    ),

    numbered as materialized (
        select
            r.side, r.record,
            identity.certified_number(item.subject_kind, identity.card_of(item.subject_kind, r.record)) as number
        from tied as r
    ),

    -- A decision that holds a record of these apart from another, with the numbers of both.
    held as materialized (
        select
            t.decision_id, t.one, t.other,
            identity.certified_number(item.subject_kind, identity.card_of(item.subject_kind, t.one)) as one_number,
            identity.certified_number(item.subject_kind, identity.card_of(item.subject_kind, t.other)) as other_number
        from ties as t
        where
            t.verdict = 'cannot_link'
            and (t.one in (select n.record from numbered as n) or t.other in (select n.record from numbered as n))
    )

    select
        array(select distinct n.number from numbered as n where n.number is not null),
        case $2
            when 'same' then (
                select min(h.decision_id) from held as h
                where
                    exists (select 1 from numbered as n where n.record = h.one or n.number = h.one_number)
                    and exists (select 1 from numbered as n where n.record = h.other or n.number = h.other_number)
            )
            else (
                select min(t.decision_id) from ties as t
                where
                    t.verdict = 'must_link' and t.one in (select n.record from numbered as n)
                    and exists (
                        select 1 from numbered as l inner join numbered as r
                            on r.side = 2 and (l.record = r.record or l.number = r.number)
                        where l.side = 1
                    )
            )
        end
    into numbers, contradicted;

    if $2 = 'same' and cardinality(numbers) > 1 then
        raise exception 'Records % and % as one subject would join two different certified numbers.',
            identity.named(one), identity.named(other)
            using errcode = 'RV004',
            detail = 'at most one certified number among the records joined, those of earlier decisions included',
            hint = 'judge them different; if a number is wrong, have its department correct it at the source';
    end if;
    if contradicted is not null then
        raise exception 'This contradicts decision %.', contradicted using errcode = 'RV006',
            detail = 'decisions in force that can all be true together',
            hint = 'have two people revise that decision first';
    end if;
end
$$;

drop function identity.give_opinion(bigint, text, text, text);
create function identity.give_opinion(
    item_id bigint, clerk text, verdict text, why text, clerk_login text default null
)
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

    insert into identity.opinions (item_id, clerk, verdict, why, clerk_login)
    values ($1, btrim($2), $3, btrim($4), $5) returning opinions.opinion_id into opinion;
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
        format('item %s by %s: %s', $1, identity.clerk_named($2, $5), $3), 1
    );
    return query
    select
        next_state, case when made is null then in_force else wanted end,
        (select d.decided_by from identity.decisions_in_force as d where d.item_id = $1), made;
end
$$;
comment on function identity.give_opinion(bigint, text, text, text, text) is
'给出复核意见；两名不同人员一致即成认定 / Give an opinion; two different people who agree make a decision';

-- raising a question -------------------------------------------------------------------------------------------------
-- The record of the same subject that a record is held against: of the certified part, the register first.
create function identity.against(subject_kind text, record text[], subject_id text) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    number constant text := identity.own_number($1, identity.card_of($1, $2));
    found text[];
    is_alone boolean;
begin
    with others as materialized (
        select array[l.system, l.table_name, l.record_key] as record, l.link_id
        from identity.links as l
        where
            l.subject_id = $3 and (l.system, l.table_name, l.record_key) <> ($2[1], $2[2], $2[3])
            and l.link_id = (
                select max(n.link_id) from identity.links as n
                where
                    n.subject_kind = l.subject_kind and n.system = l.system and n.table_name = l.table_name
                    and n.record_key = l.record_key
            )
    ),

    there as materialized (
        select
            o.record, o.link_id,
            identity.certified_number($1, c.card) as certified, identity.own_number($1, c.card) as own
        from others as o cross join lateral (select identity.card_of($1, o.record) as card) as c
        where c.card is not null
    )

    select
        not exists (select 1 from there),
        (
            select t.record from there as t where t.own is distinct from number or t.own is null
            order by
                t.certified is null,
                (t.record[1], t.record[2]) not in (
                    ('civil_affairs', 'residents'), ('market_supervision', 'enterprises')
                ),
                t.link_id
            limit 1
        )
    into is_alone, found;
    if is_alone then
        raise exception 'Record % is alone in its subject.', identity.named($2) using errcode = 'RV009',
            detail = 'a record that is joined with others, or two records',
            hint = 'nothing is joined with it; to say whom it belongs to, name a record of that subject too';
    end if;
    if found is null or identity.certified_number($1, identity.card_of($1, $2)) is not null then
        raise exception 'Record % belongs to its subject by its own number.', identity.named($2)
            using errcode = 'RV012',
            detail = 'a record that was joined without a certified number of its own',
            hint = 'if the number is wrong, its department corrects it at the source and the next run moves the record;'
                ' if another record does not belong, raise that one';
    end if;
    return found;
end
$$;

-- The item that asks about two records, in order; refused while one is open or a decision is in force.
create function identity.open_question(subject_kind text, one text[], other text[]) returns identity.review_items
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    item identity.review_items;
begin
    select i.* into item from identity.review_items as i
    where
        (i.subject_kind, i.left_system, i.left_table, i.left_key) = ($1, $2[1], $2[2], $2[3])
        and (i.right_system, i.right_table, i.right_key) = ($3[1], $3[2], $3[3])
    for update;
    if item.state in ('open', 'disputed') then
        raise exception 'Review item % already asks about these two records.', item.item_id using errcode = 'RV010',
            detail = 'a question that is not open yet', hint = format('give an opinion on item %s', item.item_id);
    elsif item.state = 'decided' then
        raise exception 'Two people have decided about these two records (review item %).', item.item_id
            using errcode = 'RV011', detail = 'a question that nobody has decided',
            hint = format('give the opposite opinion on item %s: two people may turn a decision', item.item_id);
    end if;
    insert into identity.review_items as i (
        subject_kind, left_system, left_table, left_key, right_system, right_table, right_key, reason,
        probability, match_weight, waterfall, opened_run_id
    )
    select
        $1, $2[1], $2[2], $2[3], $3[1], $3[2], $3[3], 'raised', p.probability, p.match_weight,
        coalesce(p.waterfall, '[]'), 'raised'
    from (select 1) as always
    left join identity.pairs as p
        on
            (p.subject_kind, p.left_system, p.left_table, p.left_key) = ($1, $2[1], $2[2], $2[3])
            and (p.right_system, p.right_table, p.right_key) = ($3[1], $3[2], $3[3])
    on conflict (subject_kind, left_system, left_table, left_key, right_system, right_table, right_key) do update
    set
        reason = excluded.reason, conflict = null, probability = excluded.probability,
        match_weight = excluded.match_weight, waterfall = excluded.waterfall, state = 'open', closed_at = null
    returning i.* into item;
    return item;
end
$$;

-- A question is no opinion: whoever raises it has not judged yet, and may be one of the two who do.
create function identity.raise_question(
    kind text, record text[], other text[], clerk text, why text, via text, clerk_login text default null
)
returns table (item_id bigint, subject_kind text, asks text, about text[], against text[])
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    beside text[] := $3;
    missing text[];
    kinds text[];
    subject text;
    asked text;
    is_first boolean;
    item identity.review_items;
begin
    if identity.clerk_key($4) = '' or btrim(coalesce($5, '')) = '' then
        raise exception 'A question needs a name and a reason.' using errcode = 'RV003',
            detail = 'who asks; why', hint = 'give both';
    end if;
    if $2 = beside then
        raise exception 'Record % is named twice.', identity.named($2) using errcode = 'RV014',
            detail = 'two different records, or one and what it is joined with', hint = 'name another record';
    end if;
    perform pg_advisory_xact_lock(724310122);

    select array_agg(k.kind) into kinds from unnest(array['resident', 'enterprise']) as k (kind)
    where
        k.kind = coalesce($1, k.kind)
        and identity.card_of(k.kind, $2) is not null and identity.subject_of(k.kind, $2) is not null
        and (
            beside is null
            or (identity.card_of(k.kind, beside) is not null and identity.subject_of(k.kind, beside) is not null)
        );
    if kinds is null then
        select r.record into missing from (values (1, $2), (2, beside)) as r (place, record)
        where
            r.record is not null and not exists (
                select 1 from unnest(array['resident', 'enterprise']) as k (kind)
                where
                    k.kind = coalesce($1, k.kind)
                    and identity.card_of(k.kind, r.record) is not null
                    and identity.subject_of(k.kind, r.record) is not null
            )
        order by r.place limit 1;
        raise exception '%', coalesce(
            'There is no record ' || identity.named(missing) || '.',
            format('%s and %s speak of different kinds of subject.', identity.named($2), identity.named(beside))
        ) using errcode = 'RV008',
            detail = 'a record that is linked to a subject, written as its page shows it (system.table:key)',
            hint = 'copy it from the page of the subject; a record that has just arrived is linked by the next run';
    end if;
    if cardinality(kinds) > 1 then
        raise exception 'Record % speaks of a resident and of an enterprise.', identity.named($2)
            using errcode = 'RV013',
            detail = 'the kind of subject that is meant', hint = 'name it (--kind): resident or enterprise';
    end if;
    subject := identity.subject_of(kinds[1], $2);
    if beside is null then
        beside := identity.against(kinds[1], $2, subject);
    end if;

    asked := case when identity.subject_of(kinds[1], beside) = subject then 'apart' else 'together' end;
    is_first := ($2[1] collate "C", $2[2] collate "C", $2[3] collate "C") < (beside[1], beside[2], beside[3]);
    item := identity.open_question(
        kinds[1], case when is_first then $2 else beside end, case when is_first then beside else $2 end
    );
    perform identity.require_possible(item, case asked when 'apart' then 'different' else 'same' end);
    insert into identity.raised_questions (item_id, asks, raised_by, clerk_login, why)
    values (item.item_id, asked, btrim($4), $7, btrim($5));
    insert into ops.access_log (database_role, purpose, detail, row_count)
    values (
        coalesce(nullif(current_setting('role', true), 'none'), session_user), 'raise_question',
        format('item %s by %s via %s', item.item_id, identity.clerk_named($4, $7), $6), 1
    );
    return query select item.item_id, kinds[1], asked, $2, beside;
end
$$;
comment on function identity.raise_question(text, text[], text[], text, text, text, text) is
'就两条记录提出疑问，转两人复核 / Ask two people about two records that linkage did not ask about';

-- rights -------------------------------------------------------------------------------------------------------------
revoke execute on function
identity.named(text[]),
identity.clerk_named(text, text),
identity.own_number(text, jsonb),
identity.card_of(text, text[]),
identity.subject_of(text, text[]),
identity.review_pair(bigint, text, text, text),
identity.review_opinions(bigint, text, text),
identity.give_opinion(bigint, text, text, text, text),
identity.against(text, text[], text),
identity.open_question(text, text[], text[]),
identity.raise_question(text, text[], text[], text, text, text, text)
from public;
grant execute on function
identity.review_pair(bigint, text, text, text),
identity.review_opinions(bigint, text, text),
identity.give_opinion(bigint, text, text, text, text),
identity.raise_question(text, text[], text[], text, text, text, text)
to cityhub_clerk;
