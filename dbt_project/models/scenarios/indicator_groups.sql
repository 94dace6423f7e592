-- The index all indicators share: district and 36 towns × the months shown.
with months as (
    select ({{ window_start() }} + make_interval(months => step))::date as period_start_on
    from generate_series(0, {{ var('period_months') }} - 1) as step
),

places as (
    select
        'district' as dimension,
        '{{ var("district_code") }}' as dimension_code
    union all
    select
        'town',
        town_code
    from {{ ref('seed_towns') }}
)

select
    places.dimension::text as dimension,
    places.dimension_code::text as dimension_code,
    to_char(months.period_start_on, 'YYYY-MM') as period,
    months.period_start_on,
    (months.period_start_on + interval '1 month' - interval '1 day')::date as period_end_on,
    -- The running month is open until the business date is its last day.
    (months.period_start_on + interval '1 month' - interval '1 day')::date > {{ business_date() }} as is_open
from places
cross join months
