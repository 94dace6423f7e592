-- Which records make up each subject: the provenance behind every golden attribute.
select
    'resident'::text as subject_kind,
    resident_id::text as subject_id,
    system,
    table_name,
    record_key,
    role,
    method::text as method,
    citizen_no_key is not null as is_certified,
    probability
from {{ ref('int_resident_links') }}
where {{ touched_record_of() }}
union all
select
    'enterprise',
    enterprise_id::text,
    system,
    table_name,
    record_key,
    role,
    method::text,
    enterprise_key is not null,
    probability
from {{ ref('int_enterprise_links') }}
where {{ touched_record_of() }}
