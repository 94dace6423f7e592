{%- set base = ledger_base() -%}
-- Residents whose row has to be restated: those to restate, and who shares an address that one of them came to or left.
with homes as (
    select
        home.resident_id,
        home.address_key
    from {{ ref('int_resident_addresses') }} as home
    inner join {{ ref('touched_residents') }} as touched on home.resident_id = touched.subject_id
),

departed as (
    select
        resident_id,
        address_key
    from {{ ref('departed_addresses') }}
),

moved as (
    select coalesce(homes.address_key, departed.address_key) as address_key
    from homes
    full outer join departed
        on homes.resident_id = departed.resident_id and homes.address_key = departed.address_key
    where homes.resident_id is null or departed.resident_id is null
)

select
    {{ base['id'] if base else 'null' }}::bigint as base_id,
    subject_id
from {{ ref('touched_residents') }}
union
select
    {{ base['id'] if base else 'null' }}::bigint,
    neighbour.resident_id::text
from {{ ref('int_resident_addresses') }} as neighbour
where neighbour.address_key in (select moved.address_key from moved)
