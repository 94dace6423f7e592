-- Seed and models name the same indicators, and each has a row for every place and month.
with built as (
    select
        indicator_code,
        count(*) as row_count
    from {{ ref('indicator_values') }}
    group by indicator_code
)

select coalesce(definition.indicator_code, built.indicator_code) as indicator_code
from {{ ref('seed_indicators') }} as definition
full outer join built on definition.indicator_code = built.indicator_code
where built.row_count is distinct from (select count(*) from {{ ref('indicator_groups') }})
