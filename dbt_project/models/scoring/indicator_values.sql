{%- set least_day = 'least(place.period_end_on, ' ~ business_date() ~ ')' -%}
-- Indicator × place × month: value, score and status. Numeric arithmetic throughout, so that the last digit
-- does not depend on the order of rows; turned into double precision at the very end.
with counted as (
    {%- for code in indicator_codes() %}
    select * from {{ ref('ind_' ~ code) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

-- Until which instant each indicator's slowest source table counts as complete: its own word plus the delay its
-- contract allows. A table without a clock of its own is as fresh as its last pull was good.
reach as (
    select
        definition.indicator_code,
        bool_and(coalesce(state.state = 'admitted' or state.as_of is not null, false)) as is_known,
        min(state.as_of + make_interval(hours => state.freshness_hours)) as complete_until
    from {{ ref('seed_indicators') }} as definition
    cross join unnest(string_to_array(definition.source_tables, ',')) as needed (source_table)
    left join {{ source('ops', 'source_states') }} as state
        on needed.source_table = state.system || '.' || state.table_name
    group by definition.indicator_code
),

valued as (
    select
        counted.indicator_code,
        counted.dimension,
        counted.dimension_code,
        counted.period,
        counted.numerator,
        counted.denominator,
        definition.version,
        definition.direction,
        definition.target::numeric as target,
        definition.target_upper::numeric as target_upper,
        definition.weight::numeric as weight,
        place.period_start_on,
        place.period_end_on,
        place.is_open,
        counted.numerator::numeric / nullif(counted.denominator, 0) as value,
        not coalesce(reach.is_known, false)
        or coalesce(reach.complete_until < {{ day_end(least_day) }}, false) as is_stale
    from counted
    inner join {{ ref('indicator_groups') }} as place
        on counted.dimension = place.dimension
        and counted.dimension_code = place.dimension_code
        and counted.period = place.period
    inner join {{ ref('seed_indicators') }} as definition on counted.indicator_code = definition.indicator_code
    left join reach on counted.indicator_code = reach.indicator_code
),

scored as (
    select
        valued.*,
        -- An open or a stale month has a value so far, but is judged by nobody.
        case
            when not valued.is_open and not valued.is_stale
                then {{ indicator_score('valued.value', 'valued.direction', 'valued.target', 'valued.target_upper') }}
        end as score
    from valued
)

select
    indicator_code::text as indicator_code,
    dimension::text as dimension,
    dimension_code::text as dimension_code,
    period::text as period,
    version::text as indicator_version,
    'month'::text as period_kind,
    period_start_on,
    period_end_on,
    numerator,
    denominator,
    value::double precision as value,
    target::double precision as target,
    score::double precision as score,
    case
        when denominator = 0 then 'not_applicable'
        when is_open then 'too_early'
        when is_stale then 'stale'
        when denominator < {{ var('minimum_denominator') }} then 'too_few'
        else {{ score_status('score') }}
    end::text as status,
    {{ wilson('numerator', 'denominator', 'low') }}::double precision as wilson_low,
    {{ wilson('numerator', 'denominator', 'high') }}::double precision as wilson_high,
    weight::double precision as weight
from scored
