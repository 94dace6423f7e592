-- Every dated market fact with the enterprise it concerns:
-- by the register row it names, else by its certified number, else by its own record.
with facts as (
    {%- for table_name, entity, key in [
        ('licences', 'licence', 'licence_no'),
        ('inspections', 'inspection', 'inspection_no'),
        ('penalties', 'penalty', 'penalty_no'),
        ('special_equipment', 'special_equipment', 'equipment_no'),
        ('lifecycle_notices', 'lifecycle_notice', 'notice_no'),
    ] %}
    select
        '{{ table_name }}'::text as table_name,
        {{ key }} as record_key,
        uscc,
        uscc_key
    from {{ ref('stg_market_supervision__' ~ entity) }}
    where
        uscc is not null
        and {{ touched_record('market_supervision', table_name, key) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select
    fact.table_name,
    fact.record_key,
    coalesce(
        registered.enterprise_id,
        (
            select min(certified.enterprise_id)
            from {{ ref('int_enterprise_links') }} as certified
            where certified.enterprise_key = fact.uscc_key
        ),
        own.enterprise_id
    ) as enterprise_id
from facts as fact
left join {{ ref('int_enterprise_links') }} as registered
    on registered.system = 'market_supervision'
    and registered.table_name = 'enterprises'
    and fact.uscc = registered.record_key
left join {{ ref('int_enterprise_links') }} as own
    on own.system = 'market_supervision'
    and fact.table_name = own.table_name
    and fact.record_key = own.record_key
