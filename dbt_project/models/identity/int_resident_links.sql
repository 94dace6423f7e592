-- depends_on: {{ ledger('departed_subjects') }}
-- Every record in force that speaks of a person, with the resident the identity room decided it speaks of.
select
    record.*,
    record.system || '.' || record.table_name as source,
    link.subject_id as resident_id,
    link.method,
    link.probability
from {{ ref('int_person_records') }} as record
inner join {{ source('identity', 'current_links') }} as link
    on link.subject_kind = 'resident'
    and record.system = link.system
    and record.table_name = link.table_name
    and record.record_key = link.record_key
where {{ touched_record_of('record') }}
