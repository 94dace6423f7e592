{%- set attributes = [
    'name', 'uscc', 'registration_no', 'kind', 'status', 'legal_rep_name', 'registered_capital_cny',
    'established_on', 'industry_code', 'address', 'town_code',
] -%}
-- The golden record of every enterprise, with source, record and day of each attribute.
with ranks as (
    {{ survivorship_ranks('enterprise', attributes) }}
),

rules as (
    {{ survivorship_rules('enterprise', attributes) }}
),

spoken as not materialized (
    select
        record.enterprise_id,
        record.system,
        record.source,
        record.record_key,
        record.enterprise_key as certified_key,
        record.updated_at,
        record.probability,
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
        record.town_code
    from {{ ref('int_enterprise_links') }} as record
    left join {{ ref('stg_market_supervision__enterprise') }} as registered
        on record.source = 'market_supervision.enterprises' and record.record_key = registered.uscc
    where {{ touched_subject('enterprises', 'record.enterprise_id') }}
),

{{ golden_steps('enterprise_id', ref('int_enterprise_links'), attributes, 'enterprises') }}

-- The legal representative is the person of the register row whose representative is shown, not of another row.
select
    golden.*,
    representative.resident_id::text as legal_rep_resident_id
from golden
left join {{ ref('int_resident_links') }} as representative
    on representative.source = 'market_supervision.enterprises'
    and golden.legal_rep_name_record_key = representative.record_key
