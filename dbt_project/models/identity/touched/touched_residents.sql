{%- set base = ledger_base() -%}
-- Residents to restate: those that touched records speak of, or spoke of, and who represent an enterprise to restate.
select
    {{ base['id'] if base else 'null' }}::bigint as base_id,
    subject_id
from {{ ref('departed_subjects') }}
where subject_kind = 'resident'
union
select
    {{ base['id'] if base else 'null' }}::bigint,
    link.resident_id::text
from {{ ref('int_resident_links') }} as link
inner join {{ ref('touched_records') }} as touched
    on link.system = touched.system
    and link.table_name = touched.table_name
    and link.record_key = touched.record_key
union
select
    {{ base['id'] if base else 'null' }}::bigint,
    link.resident_id::text
from {{ ref('int_civil_facts') }} as fact
inner join {{ ref('touched_records') }} as touched
    on touched.system = 'civil_affairs'
    and fact.table_name = touched.table_name
    and fact.record_key = touched.record_key
inner join {{ ref('int_resident_links') }} as link
    on link.source = 'civil_affairs.residents' and fact.person_no = link.record_key
union
select
    {{ base['id'] if base else 'null' }}::bigint,
    firm.legal_rep_resident_id
from {{ ref('int_enterprise_golden') }} as firm
inner join {{ ref('touched_enterprises') }} as touched on firm.enterprise_id = touched.subject_id
where firm.legal_rep_resident_id is not null
