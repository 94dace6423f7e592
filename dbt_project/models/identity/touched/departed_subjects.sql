{%- set base = ledger_base() -%}
-- noqa: disable=layout.indent
-- depends_on: {{ ref('touched_records') }}
-- Subjects that touched records spoke of in the build before; its tables are read by their names, before they move on.
{%- if base %}
with enterprises as (
    select link.enterprise_id
    from identity.int_enterprise_links as link
    inner join {{ ref('touched_records') }} as touched
        on link.system = touched.system
        and link.table_name = touched.table_name
        and link.record_key = touched.record_key
    union
    select fact.enterprise_id
    from identity.int_market_facts as fact
    inner join {{ ref('touched_records') }} as touched
        on touched.system = 'market_supervision'
        and fact.table_name = touched.table_name
        and fact.record_key = touched.record_key
    where fact.enterprise_id is not null
)

select
    {{ base['id'] }}::bigint as base_id,
    'enterprise'::text as subject_kind,
    enterprise_id as subject_id
from enterprises
union
-- What a resident's row says of the firms he represents.
select
    {{ base['id'] }}::bigint,
    'resident',
    firm.legal_rep_resident_id
from subjects.int_enterprise_golden as firm
inner join enterprises on firm.enterprise_id = enterprises.enterprise_id
where firm.legal_rep_resident_id is not null
union
select
    {{ base['id'] }}::bigint,
    'resident',
    link.resident_id
from identity.int_resident_links as link
inner join {{ ref('touched_records') }} as touched
    on link.system = touched.system
    and link.table_name = touched.table_name
    and link.record_key = touched.record_key
union
select
    {{ base['id'] }}::bigint,
    'resident',
    link.resident_id
from identity.int_civil_facts as fact
inner join {{ ref('touched_records') }} as touched
    on touched.system = 'civil_affairs'
    and fact.table_name = touched.table_name
    and fact.record_key = touched.record_key
inner join identity.int_resident_links as link
    on link.source = 'civil_affairs.residents' and fact.person_no = link.record_key
{%- else %}
select
    null::bigint as base_id,
    null::text as subject_kind,
    null::text as subject_id
where false
{%- endif %}
