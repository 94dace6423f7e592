-- depends_on: {{ ledger('departed_subjects') }}
-- Every record in force that speaks of a person, with the resident the identity room decided it speaks of.
select
    record.*,
    record.system || '.' || record.table_name as source,
    link.subject_id as resident_id,
    link.method,
    link.probability
from {{ ref('int_person_records') }} as record
inner join {{ link_of_record('resident') }}
where {{ touched_record_of('record') }}
