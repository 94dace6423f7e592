{%- set base = ledger_base() -%}
-- noqa: disable=layout.indent
-- depends_on: {{ ref('touched_residents') }}
-- Where the residents to restate lived in the build before; its table is read by its name, before it moves on.
{%- if base %}
select
    {{ base['id'] }}::bigint as base_id,
    home.resident_id,
    home.address_key
from subjects.int_resident_addresses as home
inner join {{ ref('touched_residents') }} as touched on home.resident_id = touched.subject_id
{%- else %}
select
    null::bigint as base_id,
    null::text as resident_id,
    null::text as address_key
where false
{%- endif %}
