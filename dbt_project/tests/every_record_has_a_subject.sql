-- Nothing is lost: a record that speaks of a person or a firm, without a link, would vanish from the joined view.
{{ config(group='integration') }}
select
    'resident' as subject_kind,
    record.system,
    record.table_name,
    record.record_key
from {{ ref('int_person_records') }} as record
left join {{ ref('int_resident_links') }} as link
    on record.system = link.system and record.table_name = link.table_name and record.record_key = link.record_key
where link.resident_id is null
union all
select
    'enterprise',
    record.system,
    record.table_name,
    record.record_key
from {{ ref('int_enterprise_records') }} as record
left join {{ ref('int_enterprise_links') }} as link
    on record.system = link.system and record.table_name = link.table_name and record.record_key = link.record_key
where link.enterprise_id is null
