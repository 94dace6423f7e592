-- depends_on: {{ ledger('departed_subjects') }}
-- Every record in force that speaks of a enterprise, with the enterprise the identity room decided it speaks of.
select
    record.*,
    record.system || '.' || record.table_name as source,
    link.subject_id as enterprise_id,
    link.method,
    link.probability
from {{ ref('int_enterprise_records') }} as record
inner join {{ link_of_record('enterprise') }}
where {{ touched_record_of('record') }}
