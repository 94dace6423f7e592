{%- set attributes = [
    'name', 'uscc', 'registration_no', 'kind', 'status', 'legal_rep_name', 'registered_capital_cny',
    'established_on', 'industry_code', 'address', 'town_code',
] -%}
-- One row per enterprise: golden attributes with the source each came from, and what the other systems know.
with homes as (
    select
        enterprise_id,
        min(record_key) as care_home_no
    from {{ ref('int_enterprise_links') }}
    where source = 'care_homes.institutions'
    group by enterprise_id
),

licences as (
    select
        fact.enterprise_id,
        count(*)::integer as licence_count
    from {{ ref('stg_market_supervision__licence') }} as licence
    inner join {{ ref('int_market_facts') }} as fact
        on fact.table_name = 'licences' and licence.licence_no = fact.record_key
    where {{ licence_in_force('licence', business_date()) }}
    group by fact.enterprise_id
),

penalties as (
    select
        fact.enterprise_id,
        count(*)::integer as penalty_count
    from {{ ref('stg_market_supervision__penalty') }} as penalty
    inner join {{ ref('int_market_facts') }} as fact
        on fact.table_name = 'penalties' and penalty.penalty_no = fact.record_key
    where penalty.decided_on <= {{ business_date() }}
    group by fact.enterprise_id
),

open_cases as (
    select
        party_enterprise_id as enterprise_id,
        count(*)::integer as open_case_count
    from {{ ref('cases') }}
    where status in ('open', 'disposed') and party_enterprise_id is not null
    group by party_enterprise_id
),

found as (
    select
        subject_id as enterprise_id,
        count(*)::integer as finding_count
    from {{ ref('findings') }}
    where subject_kind = 'enterprise'
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
    coalesce(open_cases.open_case_count, 0) as open_case_count,
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
    coalesce(found.finding_count, 0) as finding_count
from {{ ref('int_enterprise_golden') }} as golden
left join homes on golden.enterprise_id = homes.enterprise_id
left join licences on golden.enterprise_id = licences.enterprise_id
left join penalties on golden.enterprise_id = penalties.enterprise_id
left join open_cases on golden.enterprise_id = open_cases.enterprise_id
left join found on golden.enterprise_id = found.enterprise_id
