-- Home-days with more elders in residence than licensed beds ÷ home-days.
-- A home whose licensed beds are unknown cannot be judged and is in no denominator.
with facts as (
    select
        town_code,
        period,
        is_over_bed as is_hit
    from {{ ref('care_home_days') }}
    where licensed_beds is not null
)

{{ counts_over_groups('over_bed_rate', 'facts') }}
