-- Place × month: the index over the indicators that are available there (good, watch or poor).
with lines as (
    select
        reading.dimension,
        reading.dimension_code,
        reading.period,
        reading.period_kind,
        reading.status,
        reading.weight::numeric as weight,
        reading.score::numeric as score,
        reading.status in ('good', 'watch', 'poor') as is_available,
        -- The score at either end of the Wilson interval; which end is the better one depends on the direction.
        {{ indicator_score(
            'reading.wilson_low::numeric', 'definition.direction',
            'definition.target::numeric', 'definition.target_upper::numeric'
        ) }} as score_at_low,
        {{ indicator_score(
            'reading.wilson_high::numeric', 'definition.direction',
            'definition.target::numeric', 'definition.target_upper::numeric'
        ) }} as score_at_high
    from {{ ref('indicator_values') }} as reading
    inner join {{ ref('seed_indicators') }} as definition on reading.indicator_code = definition.indicator_code
),

indexed as (
    select
        dimension,
        dimension_code,
        period,
        period_kind,
        sum(weight * score) filter (where is_available) / sum(weight) filter (where is_available) as index_value,
        sum(weight * least(score, score_at_low, score_at_high)) filter (where is_available)
        / sum(weight) filter (where is_available) as index_low,
        sum(weight * greatest(score, score_at_low, score_at_high)) filter (where is_available)
        / sum(weight) filter (where is_available) as index_high,
        coalesce(sum(weight) filter (where is_available), 0) / sum(weight) as weight_available_share,
        count(*) filter (where is_available) as available_count,
        count(*) as indicator_count,
        bool_or(status = 'too_early') as has_too_early,
        bool_or(status = 'stale') as has_stale,
        bool_or(status = 'too_few') as has_too_few
    from lines
    group by dimension, dimension_code, period, period_kind
),

comparable as (
    select *
    from indexed
    where
        dimension = 'town'
        and index_value is not null
        and weight_available_share >= {{ var('rank_minimum_weight_share') }}
),

-- One plus the number of towns that are better beyond doubt, their intervals lying wholly above; towns that cannot be
-- told apart share a rank, and a town that can be told from no other gets none. The interval takes every indicator at
-- its worse and at its better end at once, so it errs towards saying nothing.
ranked as (
    select
        mine.dimension,
        mine.dimension_code,
        mine.period,
        1 + count(*) filter (where mine.index_high < other.index_low) as rank
    from comparable as mine
    inner join comparable as other
        on mine.period = other.period and mine.dimension_code <> other.dimension_code
    group by mine.dimension, mine.dimension_code, mine.period
    having bool_or(mine.index_high < other.index_low or other.index_high < mine.index_low)
)

select
    indexed.dimension,
    indexed.dimension_code,
    indexed.period,
    indexed.period_kind,
    indexed.index_value::double precision as index_value,
    case
        when indexed.index_value is not null then {{ score_status('indexed.index_value') }}
        when indexed.has_too_early then 'too_early'
        when indexed.has_stale then 'stale'
        when indexed.has_too_few then 'too_few'
        else 'not_applicable'
    end::text as status,
    indexed.weight_available_share::double precision as weight_available_share,
    indexed.available_count::integer as available_count,
    indexed.indicator_count::integer as indicator_count,
    ranked.rank::integer as rank
from indexed
left join ranked
    on indexed.dimension = ranked.dimension
    and indexed.dimension_code = ranked.dimension_code
    and indexed.period = ranked.period
