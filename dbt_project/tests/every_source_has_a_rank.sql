-- A source nobody ranked comes last for every attribute; that should be a decision, so it is told.
{{ config(severity='warn', group='integration') }}
with spoken as (
    select
        'resident' as subject_kind,
        source
    from {{ ref('int_resident_links') }}
    union
    select
        'enterprise',
        source
    from {{ ref('int_enterprise_links') }}
)

select
    spoken.subject_kind,
    spoken.source
from spoken
left join {{ ref('seed_survivorship') }} as ranked
    on spoken.subject_kind = ranked.subject_kind and spoken.source = ranked.source
where ranked.source is null
