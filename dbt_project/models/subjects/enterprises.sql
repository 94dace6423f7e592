{%- set attributes = [
    'name', 'uscc', 'registration_no', 'kind', 'status', 'legal_rep_name', 'registered_capital_cny',
    'established_on', 'industry_code', 'address', 'town_code',
] -%}
{%- set doubles = ['notice', 'feedback', 'tracking', 'random', 'assessment', 'publication'] -%}
{#- Whose rows are restated is settled first: among so many joins Postgres would come to it last. -#}
{%- set first = 'materialized' if restates() else 'not materialized' -%}
-- One row per enterprise: golden attributes with the source each came from, and what the other systems know.
with golden as {{ first }} (
    select *
    from {{ ref('int_enterprise_golden') }}
    where {{ touched_subject('enterprises', 'enterprise_id') }}
),

homes as (
    select
        enterprise_id,
        min(record_key) as care_home_no,
        count(*)::integer as care_home_count
    from {{ ref('int_enterprise_links') }}
    where
        source = 'care_homes.institutions'
        and {{ touched_subject('enterprises', 'enterprise_id') }}
    group by enterprise_id
),

licences_by_kind as (
    select
        fact.enterprise_id,
        licence.kind,
        count(*) filter (where {{ licence_in_force('licence', business_date()) }}) as in_force_count,
        max(licence.valid_until) filter (where {{ licence_in_force('licence', business_date()) }}) as until_on,
        bool_or(licence.valid_until < {{ business_date() }}) as has_expired
    from {{ ref('stg_market_supervision__licence') }} as licence
    inner join {{ ref('int_market_facts') }} as fact
        on fact.table_name = 'licences' and licence.licence_no = fact.record_key
    where {{ touched_subject('enterprises', 'fact.enterprise_id') }}
    group by fact.enterprise_id, licence.kind
),

-- A licence renewed in time is not about to expire: of each kind the last one counts.
licences as (
    select
        enterprise_id,
        sum(in_force_count)::integer as licence_count,
        (count(*) filter (where in_force_count = 0 and has_expired))::integer as expired_licence_count,
        min(until_on) as next_licence_until_on
    from licences_by_kind
    group by enterprise_id
),

penalties as (
    select
        fact.enterprise_id,
        count(*)::integer as penalty_count,
        sum(penalty.amount_cny) as penalty_amount_cny,
        max(penalty.decided_on) as last_penalised_on
    from {{ ref('stg_market_supervision__penalty') }} as penalty
    inner join {{ ref('int_market_facts') }} as fact
        on fact.table_name = 'penalties' and penalty.penalty_no = fact.record_key
    where
        penalty.decided_on <= {{ business_date() }}
        and {{ touched_subject('enterprises', 'fact.enterprise_id') }}
    group by fact.enterprise_id
),

inspections as (
    select
        fact.enterprise_id,
        count(*)::integer as inspection_count,
        max(inspection.inspected_on) as last_inspected_on,
        (array_agg(inspection.result order by inspection.inspected_on desc, inspection.inspection_no desc))[1]
            as last_inspection_result,
        max(inspection.inspected_on) filter (where inspection.result = 'fail') as last_failed_on
    from {{ ref('stg_market_supervision__inspection') }} as inspection
    inner join {{ ref('int_market_facts') }} as fact
        on fact.table_name = 'inspections' and inspection.inspection_no = fact.record_key
    where
        inspection.inspected_on <= {{ business_date() }}
        and {{ touched_subject('enterprises', 'fact.enterprise_id') }}
    group by fact.enterprise_id
),

equipment as (
    select
        fact.enterprise_id,
        count(*)::integer as equipment_count,
        (count(*) filter (where equipment.next_due_on < {{ business_date() }}))::integer as equipment_overdue_count
    from {{ ref('stg_market_supervision__special_equipment') }} as equipment
    inner join {{ ref('int_market_facts') }} as fact
        on fact.table_name = 'special_equipment' and equipment.equipment_no = fact.record_key
    where {{ touched_subject('enterprises', 'fact.enterprise_id') }}
    group by fact.enterprise_id
),

-- Of each of the six doubles the worst item counts: 1 done, 2 done late, 3 pending, 4 overdue.
notices as (
    select
        fact.enterprise_id,
        notice.double_kind,
        case
            when {{ known('notice.done_at') }} <= notice.due_at then 1
            when {{ known('notice.done_at') }} is not null then 2
            when notice.due_at >= {{ business_end() }} then 3
            else 4
        end as standing
    from {{ ref('stg_market_supervision__lifecycle_notice') }} as notice
    inner join {{ ref('int_market_facts') }} as fact
        on fact.table_name = 'lifecycle_notices' and notice.notice_no = fact.record_key
    where
        notice.sent_at < {{ business_end() }}
        and {{ touched_subject('enterprises', 'fact.enterprise_id') }}
),

doubles as (
    select
        enterprise_id,
        {%- for double in doubles %}
        (array['done', 'late', 'pending', 'overdue'])[max(standing) filter (where double_kind = '{{ double }}')]
            as double_{{ double }}_state,
        {%- endfor %}
        max(standing) as worst_standing
    from notices
    group by enterprise_id
),

cases_of as (
    select
        party_enterprise_id as enterprise_id,
        (count(*) filter (where status in ('open', 'disposed')))::integer as open_case_count,
        (
            count(*) filter (
                where
                is_valid
                and {{ local_date('found_at') }}
                > {{ business_date() }} - {{ rule_parameter('risk', 'look_back_days') }}
            )
        )::integer as case_count
    from {{ ref('cases') }}
    where
        party_enterprise_id is not null
        and {{ touched_subject('enterprises', 'party_enterprise_id') }}
    group by party_enterprise_id
),

found as (
    select
        subject_id as enterprise_id,
        count(*)::integer as finding_count,
        string_agg(kind, ',' order by kind) as finding_kinds
    from {{ ref('findings') }}
    where
        subject_kind = 'enterprise'
        and {{ touched_subject('enterprises', 'subject_id') }}
    group by subject_id
)

select
    golden.enterprise_id::text as enterprise_id,
    golden.uscc,
    golden.registration_no,
    golden.name,
    golden.kind,
    golden.status,
    golden.legal_rep_name,
    golden.legal_rep_resident_id,
    golden.registered_capital_cny::numeric(14, 2) as registered_capital_cny,
    golden.established_on,
    golden.industry_code,
    golden.address,
    golden.town_code,
    homes.care_home_no,
    golden.is_certified,
    golden.record_count,
    golden.system_count,
    coalesce(licences.licence_count, 0) as licence_count,
    coalesce(penalties.penalty_count, 0) as penalty_count,
    coalesce(cases_of.open_case_count, 0) as open_case_count,
    golden.name_source,
    golden.uscc_source,
    golden.address_source,
    golden.status_source,
    golden.town_code_source,
    {%- for attribute in attributes if attribute not in ['name', 'uscc', 'address', 'status', 'town_code'] %}
    golden.{{ attribute }}_source,
    {%- endfor %}
    {%- for attribute in attributes %}
    golden.{{ attribute }}_stated_on,
    {%- endfor %}
    golden.disagreement_count,
    coalesce(found.finding_count, 0) as finding_count,
    found.finding_kinds,
    coalesce(homes.care_home_count, 0) as care_home_count,
    licences.next_licence_until_on,
    -- Within the days of warning only: a count of days changes its row every day.
    case
        when
            licences.next_licence_until_on - {{ business_date() }}
            <= {{ rule_parameter('licence_expiry', 'warn_days') }}
            then licences.next_licence_until_on - {{ business_date() }}
    end as days_to_licence_expiry,
    coalesce(licences.expired_licence_count, 0) as expired_licence_count,
    coalesce(inspections.inspection_count, 0) as inspection_count,
    inspections.last_inspected_on,
    inspections.last_inspection_result,
    coalesce(penalties.penalty_amount_cny, 0)::numeric(16, 2) as penalty_amount_cny,
    penalties.last_penalised_on,
    coalesce(equipment.equipment_count, 0) as equipment_count,
    coalesce(equipment.equipment_overdue_count, 0) as equipment_overdue_count,
    {%- for double in doubles %}
    doubles.double_{{ double }}_state,
    {%- endfor %}
    coalesce(cases_of.case_count, 0) as case_count,
    nullif(
        concat_ws(
            ',',
            case when golden.status in ('abnormal', 'revoked') then golden.status end,
            case
                when
                    penalties.last_penalised_on
                    > {{ business_date() }} - {{ rule_parameter('risk', 'look_back_days') }} then 'penalised'
            end,
            case
                when
                    inspections.last_failed_on
                    > {{ business_date() }} - {{ rule_parameter('risk', 'look_back_days') }} then 'inspection_failed'
            end,
            case when licences.expired_licence_count > 0 then 'licence_expired' end,
            case
                when
                    licences.next_licence_until_on - {{ business_date() }}
                    <= {{ rule_parameter('licence_expiry', 'warn_days') }} then 'licence_expiring'
            end,
            case when equipment.equipment_overdue_count > 0 then 'equipment_overdue' end,
            case when doubles.worst_standing = 4 then 'notice_overdue' end,
            case
                when
                    cases_of.case_count >= {{ rule_parameter('many_cases_low_risk', 'case_count') }} then 'many_cases'
            end
        ),
        ''
    ) as risk_signals,
    {{ link_level('golden.link_probability') }} as link_level,
    golden.link_probability
from golden
left join homes on golden.enterprise_id = homes.enterprise_id
left join licences on golden.enterprise_id = licences.enterprise_id
left join penalties on golden.enterprise_id = penalties.enterprise_id
left join cases_of on golden.enterprise_id = cases_of.enterprise_id
left join found on golden.enterprise_id = found.enterprise_id
left join inspections on golden.enterprise_id = inspections.enterprise_id
left join equipment on golden.enterprise_id = equipment.enterprise_id
left join doubles on golden.enterprise_id = doubles.enterprise_id
