-- release --------------------------------------------------------------------------------------------------------
alter table release.releases
add column checked_at timestamptz not null default now(),
add column checked_run_id text;
comment on column release.releases.checked_at is
'最近一次核对一致的时间 / When a run last built exactly this release again';
comment on column release.releases.checked_run_id is '最近一次核对的运行 / The run that did';

create table release.views (
    view_name text primary key,
    definition text not null
);
comment on table release.views is
'读者视图现行定义的摘要 / Digest of each reader view as it stands: a view is touched only when it has to change';

-- What readers see is made by the owner alone; the pipeline fills it.
revoke create on schema release, shared, scorecards from cityhub_pipeline;
revoke insert, update on release.views from cityhub_pipeline;
grant select on release.views to cityhub_pipeline;

-- masks ----------------------------------------------------------------------------------------------------------
-- Not strict: a function without `strict` is inlined into the view, where null in gives null out anyway.
create function shared.mask_name(value text) returns text
language sql immutable parallel safe
return left(value, 1) || repeat('*', least(greatest(length(value) - 1, 1), 2));
comment on function shared.mask_name(text) is '张* / First character, then at most two stars';

create function shared.mask_citizen_no(value text) returns text
language sql immutable parallel safe
return case
    when length(value) = 18 then left(value, 6) || repeat('*', 8) || right(value, 4)
    when length(value) = 15 then left(value, 6) || repeat('*', 6) || right(value, 3)
    else repeat('*', length(value))
end;
comment on function shared.mask_citizen_no(text) is '310115********123X / Division and last four; anything else only stars';

create function shared.mask_phone(value text) returns text
language sql immutable parallel safe
return case
    when length(value) >= 8 then left(value, 3) || '****' || right(value, 4)
    else repeat('*', length(value))
end;
comment on function shared.mask_phone(text) is '138****1234 / First three and last four; short numbers only stars';

-- From the first number on (Arabic, full-width, or Chinese before a lane, house or room) nothing is shown. Without any
-- number the text up to its last road, town or village; without one of those, nothing.
create function shared.mask_address(value text) returns text
language sql immutable parallel safe
return case
    when value is null then null
    else coalesce(
        substring(
            value from
            '^(.*?)(?:[0-9０-９]|[〇零一二三四五六七八九十百千]+(?:弄|号|支弄|幢|栋|座|单元|楼|室|组|队))'
        ),
        substring(value from '^(.*(?:路|街|道|巷|镇|乡|村))'),
        ''
    ) || '***'
end;
comment on function shared.mask_address(text) is '上海市浦东新区张杨路*** / Road kept, lane, house and room hidden';

-- search ---------------------------------------------------------------------------------------------------------
-- Finds subjects by what readers may not list: the full name or number is compared here and only the masked row of the
-- shared view goes out. Every call is entered in ops.access_log, without the value asked for.
create function shared.search_subjects(subject_kind text, query text, max_rows integer default 20)
returns table (
    subject_id text,
    name text,
    identifier text,
    town_code text,
    status text,
    record_count integer,
    system_count integer,
    matched_by text
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    kind constant text := $1;
    most constant integer := least(greatest(coalesce($3, 20), 1), 100);
    -- The form names are kept in: half-width, one kind of middle dot, no blanks between Chinese characters.
    named constant text := regexp_replace(
        regexp_replace(
            translate(btrim(normalize(coalesce($2, ''), nfkc)), '•・‧∙⋅．', '······'),
            '([\u2e80-\u9fff])\s+(?=[\u2e80-\u9fff])', '\1', 'g'
        ),
        '\s+', ' ', 'g'
    );
    number constant text := upper(replace(named, ' ', ''));
    opening constant text := replace(replace(replace(named, '\', '\\'), '%', '\%'), '_', '\_') || '%';
    way text;
    found_count integer := 0;
begin
    if kind is null or kind not in ('resident', 'enterprise') then
        raise exception 'subject_kind must be resident or enterprise' using errcode = 'invalid_parameter_value';
    end if;
    -- Before the first release there is nothing to find.
    if to_regclass('shared.residents') is null or to_regclass('shared.enterprises') is null then
        return;
    end if;
    way := case
        when number ~ (case kind when 'resident' then '^R' else '^E' end || '[0-9A-F]{16}$') then 'subject_id'
        when kind = 'resident' and number ~ '^[0-9]{17}[0-9X]$' then 'citizen_no'
        when kind = 'resident' and number ~ '^[0-9]{15}$' then 'citizen_no_15'
        when kind = 'enterprise' and number ~ '^[0-9A-HJ-NPQRTUWXY]{18}$' then 'uscc'
        when kind = 'enterprise' and number ~ '^[0-9]{15}$' then 'registration_no'
        -- One character alone would list a tenth of the district.
        when length(named) >= 2 then 'name'
        else 'too_short'
    end;
    -- The condition comes from this list, the value travels as a parameter: each way keeps its own index.
    if kind = 'resident' then
        return query execute format(
            $query$
            select
                v.resident_id, v.name, v.citizen_no, v.town_code, null::text, v.record_count, v.system_count,
                case when $1 <> 'name' then $1 when hit.name = $2 then 'name' else 'name_start' end
            from release.residents as hit
            inner join shared.residents as v on v.resident_id = hit.resident_id
            where hit._to_release is null and %s
            order by hit.name is distinct from $2, hit.name, hit.resident_id
            limit $5
            $query$,
            case way
                when 'subject_id' then 'hit.resident_id = left($3, 1) || lower(substr($3, 2))'
                when 'citizen_no' then 'hit.citizen_no = $3'
                -- An old number determines the new one but for its check character.
                when 'citizen_no_15' then 'hit.citizen_no like left($3, 6) || ''19'' || substr($3, 7) || ''_'''
                when 'name' then 'hit.name like $4'
                else 'false'
            end
        ) using replace(way, '_15', ''), named, number, opening, most;
    else
        return query execute format(
            $query$
            select
                v.enterprise_id, v.name, coalesce(v.uscc, v.registration_no), v.town_code, v.status, v.record_count,
                v.system_count,
                case
                    when $1 <> 'name' then $1 when hit.name = $2 then 'name'
                    when hit.name like $4 then 'name_start' else 'name_part'
                end
            from release.enterprises as hit
            inner join shared.enterprises as v on v.enterprise_id = hit.enterprise_id
            where hit._to_release is null and %s
            order by hit.name is distinct from $2, hit.name not like $4, length(hit.name), hit.name, hit.enterprise_id
            limit $5
            $query$,
            case way
                when 'subject_id' then 'hit.enterprise_id = left($3, 1) || lower(substr($3, 2))'
                when 'uscc' then 'hit.uscc = $3'
                when 'registration_no' then 'hit.registration_no = $3'
                -- Firms of one city share their first characters, so a part of the name must do.
                when 'name' then 'hit.name like ''%'' || $4'
                else 'false'
            end
        ) using way, named, number, opening, most;
    end if;
    get diagnostics found_count = row_count;
    insert into ops.access_log (database_role, purpose, detail, row_count)
    values (
        coalesce(nullif(current_setting('role', true), 'none'), session_user), 'search_subjects',
        kind || ' by ' || replace(way, '_15', ''), found_count
    );
end
$$;
comment on function shared.search_subjects(text, text, integer) is
'按姓名、号码或主体编号查找主体，结果脱敏，逐次留痕 / Find subjects by name, number or id: masked rows, every call logged';
revoke execute on function shared.search_subjects(text, text, integer) from public;
grant execute on function shared.search_subjects(text, text, integer) to cityhub_reader, cityhub_pipeline;
