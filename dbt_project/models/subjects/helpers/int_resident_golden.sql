{%- set attributes = [
    'name', 'citizen_no', 'birth_on', 'sex_code', 'home_address', 'hukou_address', 'town_code', 'committee_code', 'phone',
    'marital_status',
] -%}
-- The golden record of every resident, with source, record and day of each attribute.
-- A view: it costs no build, and answers for one resident which record each attribute came from.
with ranks as (
    {{ survivorship_ranks('resident', attributes) }}
),

rules as (
    {{ survivorship_rules('resident', attributes) }}
),

-- What civil affairs alone can say is not among the linked records' columns.
spoken as (
    select
        record.*,
        registered.hukou_address,
        registered.committee_code,
        registered.marital_status
    from {{ ref('int_resident_links') }} as record
    left join {{ ref('stg_civil_affairs__resident') }} as registered
        on record.source = 'civil_affairs.residents' and record.record_key = registered.person_no
),

{{ golden_steps('resident_id', attributes) }}

select
    resident_id,
    {{ golden_columns(attributes) }}
    bool_or(citizen_no_key is not null) as is_certified,
    count(*)::integer as record_count,
    count(distinct system)::integer as system_count,
    min(probability) as link_probability,
    {{ disagreement_count(attributes) }}::integer as disagreement_count
from best
group by resident_id
