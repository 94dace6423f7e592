{%- set base = ledger_base() -%}
-- Enterprises to restate: those that touched records speak of, or spoke of.
select
    {{ base['id'] if base else 'null' }}::bigint as base_id,
    subject_id
from {{ ref('departed_subjects') }}
where subject_kind = 'enterprise'
union
select
    {{ base['id'] if base else 'null' }}::bigint,
    link.enterprise_id::text
from {{ ref('int_enterprise_links') }} as link
inner join {{ ref('touched_records') }} as touched
    on link.system = touched.system
    and link.table_name = touched.table_name
    and link.record_key = touched.record_key
union
select
    {{ base['id'] if base else 'null' }}::bigint,
    fact.enterprise_id::text
from {{ ref('int_market_facts') }} as fact
inner join {{ ref('touched_records') }} as touched
    on touched.system = 'market_supervision'
    and fact.table_name = touched.table_name
    and fact.record_key = touched.record_key
where fact.enterprise_id is not null
