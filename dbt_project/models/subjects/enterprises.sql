{%- set attributes = [
    'name', 'uscc', 'registration_no', 'kind', 'status', 'legal_rep_name', 'registered_capital_cny',
    'established_on', 'industry_code', 'address', 'town_code',
] -%}
-- One row per enterprise: golden attributes with the source each came from, and what the other systems know.
with ranks as (
    {{ survivorship_ranks('enterprise', attributes) }}
),

ranked as (
    select
        record.enterprise_id,
        record.system,
        record.source,
        record.record_key,
        record.enterprise_key,
        record.updated_at,
        record.name,
        case when record.enterprise_key not like 'REG%' then record.enterprise_key end as uscc,
        case when record.enterprise_key like 'REG%' then substr(record.enterprise_key, 4) end as registration_no,
        registered.kind,
        registered.status,
        registered.legal_rep_name,
        registered.registered_capital_cny,
        registered.established_on,
        registered.industry_code,
        record.address,
        record.town_code,
        {%- for attribute in attributes %}
        coalesce(ranks.{{ attribute }}_rank, 1000) as {{ attribute }}_rank,
        {%- endfor %}
        num_nonnulls(
            record.name, record.enterprise_key, record.address, record.town_code, registered.kind, registered.status,
            registered.legal_rep_name, registered.registered_capital_cny, registered.established_on,
            registered.industry_code
        ) as filled_count
    from {{ ref('int_enterprise_links') }} as record
    left join {{ ref('stg_market_supervision__enterprise') }} as registered
        on record.source = 'market_supervision.enterprises' and record.record_key = registered.uscc
    left join ranks on record.source = ranks.source
),

golden as (
    select
        enterprise_id,
        {%- for attribute in attributes %}
        {{ golden_value(attribute) }} as {{ attribute }},
        {%- endfor %}
        {%- for attribute in ['name', 'uscc', 'address', 'status', 'town_code'] %}
        {{ golden_source(attribute) }} as {{ attribute }}_source,
        {%- endfor %}
        -- The register row whose legal representative is shown: that person, not another row's.
        (array_agg(record_key {{ golden_order('legal_rep_name') }}) filter (where legal_rep_name is not null))[1]
            as legal_rep_record_key,
        bool_or(enterprise_key is not null) as is_certified,
        count(*)::integer as record_count,
        count(distinct system)::integer as system_count
    from ranked
    group by enterprise_id
),

homes as (
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
)

select
    golden.enterprise_id::text as enterprise_id,
    golden.uscc,
    golden.registration_no,
    golden.name,
    golden.kind,
    golden.status,
    golden.legal_rep_name,
    representative.resident_id::text as legal_rep_resident_id,
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
    golden.town_code_source
from golden
left join {{ ref('int_resident_links') }} as representative
    on representative.source = 'market_supervision.enterprises'
    and golden.legal_rep_record_key = representative.record_key
left join homes on golden.enterprise_id = homes.enterprise_id
left join licences on golden.enterprise_id = licences.enterprise_id
left join penalties on golden.enterprise_id = penalties.enterprise_id
left join open_cases on golden.enterprise_id = open_cases.enterprise_id
