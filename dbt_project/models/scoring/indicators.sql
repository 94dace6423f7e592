select
    indicator_code::text as indicator_code,
    version::text as version,
    name_zh::text as name_zh,
    name_en::text as name_en,
    domain::text as domain,
    scenario_code::text as scenario_code,
    formula_zh::text as formula_zh,
    formula_en::text as formula_en,
    unit::text as unit,
    direction::text as direction,
    target::double precision as target,
    target_origin::text as target_origin,
    weight::double precision as weight,
    owner_department::text as owner_department,
    valid_from::date as valid_from,
    (
        select string_agg(distinct split_part(source_table, '.', 1), ',' order by split_part(source_table, '.', 1))
        from unnest(string_to_array(source_tables, ',')) as source_table
    ) as source_systems
from {{ ref('seed_indicators') }}
