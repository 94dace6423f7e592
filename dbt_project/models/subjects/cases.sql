-- One row per urban case, invalid ones included, as known at the end of the business date.
with known as (
    select
        case_no,
        scenario_code,
        channel,
        channel in ('device', 'video', 'data_match') as is_smart_discovery,
        is_valid,
        site_no,
        town_code,
        committee_code,
        found_at,
        due_at,
        extended_to,
        coalesce(extended_to, due_at) as effective_due_at,
        loop_level,
        satisfaction,
        {{ known('filed_at') }} as filed_at,
        {{ known('dispatched_at') }} as dispatched_at,
        {{ known('first_contact_at') }} as first_contact_at,
        {{ known('disposed_at') }} as disposed_at,
        {{ known('verified_at') }} as verified_at,
        case when verified_at < {{ business_end() }} then verify_result end as verify_result,
        {{ known('closed_at') }} as closed_at
    from {{ ref('stg_urban_management__case') }}
    where
        found_at < {{ business_end() }}
        and {{ touched_record('urban_management', 'cases', 'case_no') }}
),

judged as (
    select
        known.*,
        coalesce(steps.step_count, 0) as step_count,
        known.effective_due_at < {{ business_end() }} as is_due
    from known
    left join {{ ref('int_case_steps') }} as steps on known.case_no = steps.case_no
)

select
    judged.case_no::text as case_no,
    judged.scenario_code::text as scenario_code,
    judged.channel::text as channel,
    judged.is_smart_discovery,
    judged.is_valid,
    judged.site_no::text as site_no,
    site.name::text as site_name,
    judged.town_code::text as town_code,
    judged.committee_code::text as committee_code,
    judged.found_at,
    judged.filed_at,
    judged.dispatched_at,
    judged.first_contact_at,
    judged.due_at,
    judged.extended_to,
    judged.effective_due_at,
    judged.disposed_at,
    judged.verified_at,
    judged.verify_result::text as verify_result,
    judged.closed_at,
    judged.loop_level::text as loop_level,
    case
        when judged.is_valid is false then 'invalid'
        when judged.closed_at is not null then 'closed'
        when judged.disposed_at is not null then 'disposed'
        else 'open'
    end::text as status,
    (judged.is_valid is not false and judged.closed_at is null and coalesce(judged.is_due, false)) as is_overdue,
    -- The source keeps the outcome of the first check in verify_result.
    -- True as soon as it is certain, false once it can no longer become true, null in between.
    case
        when judged.is_valid is not true then null
        when judged.disposed_at <= judged.effective_due_at and judged.verify_result = 'pass' then true
        when judged.is_due or judged.verify_result = 'fail' then false
    end as is_standard_disposal,
    case
        when judged.is_valid is not true then null
        when judged.closed_at <= judged.effective_due_at then true
        when judged.is_due then false
    end as is_closed_on_time,
    reporter.resident_id::text as reporter_resident_id,
    party.enterprise_id::text as party_enterprise_id,
    judged.satisfaction::text as satisfaction,
    judged.step_count
from judged
left join {{ ref('stg_urban_management__site') }} as site on judged.site_no = site.site_no
left join {{ ref('int_resident_links') }} as reporter
    on reporter.source = 'urban_management.cases' and judged.case_no = reporter.record_key
left join {{ ref('int_enterprise_links') }} as party
    on party.source = 'urban_management.cases' and judged.case_no = party.record_key
