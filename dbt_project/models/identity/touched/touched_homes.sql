{%- set base = ledger_base() -%}
-- noqa: disable=layout.indent
-- Care homes whose days are restated: those that touched records speak of, or spoke of in the build before. Of that one
-- the table is read by its name, before it moves on.
with touched as (
    select
        table_name,
        record_key
    from {{ ref('touched_records') }}
    where system = 'care_homes'
)

select
    {{ base['id'] if base else 'null' }}::bigint as base_id,
    record_key as home_no
from touched
where table_name = 'institutions'
union
select
    {{ base['id'] if base else 'null' }}::bigint,
    stay.home_no::text
from {{ ref('stg_care_homes__stay') }} as stay
inner join touched on touched.table_name = 'stays' and stay.stay_no = touched.record_key
where stay.home_no is not null
{%- if base %}
union
select
    {{ base['id'] }}::bigint,
    stay.home_no
from identity.int_stay_homes as stay
inner join touched on touched.table_name = 'stays' and stay.stay_no = touched.record_key
where stay.home_no is not null
{%- endif %}
