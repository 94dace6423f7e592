{%- set attributes = [
    'name', 'citizen_no', 'birth_on', 'sex_code', 'home_address', 'hukou_address', 'town_code', 'committee_code', 'phone',
    'marital_status',
] -%}
-- The golden record of every resident, with source, record and day of each attribute.
-- Answers for one resident which record each attribute came from.
with ranks as (
    {{ survivorship_ranks('resident', attributes) }}
),

rules as (
    {{ survivorship_rules('resident', attributes) }}
),

-- What civil affairs alone can say is not among the linked records' columns.
spoken as not materialized (
    select
        record.*,
        record.citizen_no_key as certified_key,
        1 as record_count,
        registered.hukou_address,
        registered.committee_code,
        registered.marital_status
    from {{ ref('int_resident_links') }} as record
    left join {{ ref('stg_civil_affairs__resident') }} as registered
        on record.source = 'civil_affairs.residents' and record.record_key = registered.person_no
    where {{ touched_subject('residents', 'record.resident_id') }}
),

{{ golden_steps('resident_id', ref('int_resident_links'), attributes, touched_subject('residents', 'resident_id')) }}

select * from golden
