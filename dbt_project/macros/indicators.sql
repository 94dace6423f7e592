{# The indicators that exist as models; each has its row in seed_indicators (tested). #}
{% macro indicator_codes() -%}
    {{ return([
        'smart_discovery_rate', 'standard_disposal_rate', 'on_time_closure_rate',
        'over_bed_rate', 'food_licence_valid_rate', 'dual_publication_rate',
    ]) }}
{%- endmacro %}

{# Counts facts (town_code, period, is_hit) over every group of the index, groups without a fact included.
   A fact whose town is not one of the 36 counts for the district alone. #}
{% macro counts_over_groups(indicator_code, facts) -%}
    select
        '{{ indicator_code }}'::text as indicator_code,
        grid.dimension,
        grid.dimension_code,
        grid.period,
        coalesce(counted.numerator, 0)::bigint as numerator,
        coalesce(counted.denominator, 0)::bigint as denominator
    from {{ ref('indicator_groups') }} as grid
    left join (
        select
            case when grouping(town_code) = 1 then 'district' else 'town' end as dimension,
            case when grouping(town_code) = 1 then '{{ var('district_code') }}' else town_code end as dimension_code,
            period,
            count(*) filter (where is_hit) as numerator,
            count(*) as denominator
        from {{ facts }}
        group by grouping sets ((period), (period, town_code))
    ) as counted
        on grid.dimension = counted.dimension
        and grid.dimension_code = counted.dimension_code
        and grid.period = counted.period
{%- endmacro %}

{# up: value ÷ target; down: target ÷ value, nothing at all being the best; both between 0 and 1.25.
   band: 1 from target to target_upper, falling linearly to 0 at 0 below and at twice the upper bound above. #}
{% macro indicator_score(value, direction, target, target_upper) -%}
    case
        when {{ value }} is null then null
        when {{ direction }} = 'up' then least(greatest({{ value }} / nullif({{ target }}, 0), 0), 1.25)
        when {{ direction }} = 'down' and {{ value }} <= 0 then 1.25
        when {{ direction }} = 'down' then least(greatest({{ target }} / {{ value }}, 0), 1.25)
        when {{ direction }} = 'band' and {{ value }} < {{ target }} then greatest({{ value }} / {{ target }}, 0)
        when {{ direction }} = 'band' and {{ value }} > {{ target_upper }}
            then greatest(2 - {{ value }} / {{ target_upper }}, 0)
        when {{ direction }} = 'band' then 1
    end
{%- endmacro %}

{# Wilson score interval of numerator ÷ denominator; side is 'low' or 'high'. #}
{% macro wilson(numerator, denominator, side) -%}
    {%- set z = var('wilson_z') -%}
    {%- set sign = '-' if side == 'low' else '+' -%}
    case
        when {{ denominator }} > 0 then least(greatest((
            {{ numerator }}::numeric / {{ denominator }} + {{ z }} * {{ z }} / (2 * {{ denominator }})
            {{ sign }} {{ z }} * sqrt(
                {{ numerator }}::numeric / {{ denominator }} * (1 - {{ numerator }}::numeric / {{ denominator }})
                / {{ denominator }}
                + {{ z }} * {{ z }} / (4 * {{ denominator }}::numeric * {{ denominator }})
            )
        ) / (1 + {{ z }} * {{ z }} / {{ denominator }}), 0), 1)
    end
{%- endmacro %}

{# good from 1, watch from 0.9, poor below. #}
{% macro score_status(score) -%}
    case when {{ score }} >= 1 then 'good' when {{ score }} >= 0.9 then 'watch' else 'poor' end
{%- endmacro %}
