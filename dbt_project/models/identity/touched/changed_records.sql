{%- set base = ledger_base() -%}
{%- set moved = moved_tables(base) -%}
{#- Tables that speak of subjects, and the key of their rows. -#}
{%- set tables = [
    ('civil_affairs', 'residents', 'person_no'),
    ('civil_affairs', 'benefits', 'grant_no'),
    ('civil_affairs', 'care_assessments', 'assessment_no'),
    ('market_supervision', 'enterprises', 'uscc'),
    ('market_supervision', 'licences', 'licence_no'),
    ('market_supervision', 'inspections', 'inspection_no'),
    ('market_supervision', 'penalties', 'penalty_no'),
    ('market_supervision', 'special_equipment', 'equipment_no'),
    ('market_supervision', 'lifecycle_notices', 'notice_no'),
    ('urban_management', 'sites', 'site_no'),
    ('urban_management', 'cases', 'case_no'),
    ('care_homes', 'institutions', 'home_no'),
    ('care_homes', 'stays', 'stay_no'),
    ('care_homes', 'staff', 'staff_no'),
    ('care_homes', 'prices', price_key()),
    ('care_homes', 'device_alarms', 'alarm_no'),
] -%}
-- Records whose content moved since the base, deleted ones among them, and those that say something else therefore.
with changed as (
    {%- for system, table_name, key in tables %}
    select
        '{{ system }}'::text as system,
        '{{ table_name }}'::text as table_name,
        {{ key }}::text as record_key
    from {{ source('raw_' ~ system, table_name) }}
    where {{ changed_since(base, moved, system, table_name) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

-- Of a firm that came into the register or left it: whether its facts are records of their own depends on it.
registered as (
    select
        register.uscc,
        register._uscc_key as uscc_key
    from {{ source('raw_market_supervision', 'enterprises') }} as register
    where {{ changed_since(base, moved, 'market_supervision', 'enterprises') }}
)

select
    {{ base['id'] if base else 'null' }}::bigint as base_id,
    system,
    table_name,
    record_key
from changed
{%- for system, table_name, key in tables if system == 'market_supervision' and table_name != 'enterprises' %}
union
select
    {{ base['id'] if base else 'null' }}::bigint,
    '{{ system }}',
    '{{ table_name }}',
    {{ key }}::text
from {{ source('raw_' ~ system, table_name) }}
where
    {{ 'market_supervision.enterprises' in moved }}
    and (
        uscc in (select registered.uscc from registered)
        or _uscc_key in (select registered.uscc_key from registered)
    )
{%- endfor %}
union
-- A case shows how many steps it has taken, and the name of its site.
select
    {{ base['id'] if base else 'null' }}::bigint,
    'urban_management',
    'cases',
    case_no::text
from {{ source('raw_urban_management', 'case_steps') }}
where {{ changed_since(base, moved, 'urban_management', 'case_steps') }}
union
select
    {{ base['id'] if base else 'null' }}::bigint,
    'urban_management',
    'cases',
    case_no::text
from {{ source('raw_urban_management', 'cases') }}
where
    {{ 'urban_management.sites' in moved }}
    and site_no in (
        select site.site_no
        from {{ source('raw_urban_management', 'sites') }} as site
        where {{ changed_since(base, moved, 'urban_management', 'sites', 'site') }}
    )
