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

-- Records that say the same, one row; a row of the register says more than is linked by, and stands for itself.
statements as materialized (
    select
        enterprise_id,
        system,
        source,
        enterprise_key,
        name,
        address,
        town_code,
        (array_agg(record_key order by updated_at desc nulls last, record_key))[1] as record_key,
        max(updated_at) as updated_at,
        min(probability) as probability,
        count(*)::integer as record_count
    from {{ ref('int_enterprise_links') }}
    where {{ touched_subject('enterprises', 'enterprise_id') }}
    group by
        enterprise_id, system, source, enterprise_key, name, address, town_code,
        case when source = 'market_supervision.enterprises' then record_key end
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
        record.record_count,
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
    from statements as record
    left join {{ ref('stg_market_supervision__enterprise') }} as registered
        on record.source = 'market_supervision.enterprises' and record.record_key = registered.uscc
),

{{ golden_steps('enterprise_id', 'statements', attributes) }}

-- The legal representative is the person of the register row whose representative is shown, not of another row.
select
    golden.*,
    (
        select representative.resident_id::text
        from {{ ref('int_resident_links') }} as representative
        where
            representative.source = 'market_supervision.enterprises'
            and representative.record_key = golden.legal_rep_name_record_key
    ) as legal_rep_resident_id
from golden
