-- Homes with a valid food licence on the last day of the month ÷ homes.
with facts as (
    select
        town_code,
        period,
        has_valid_food_licence as is_hit
    from {{ ref('food_licence_states') }}
)

{{ counts_over_groups('food_licence_valid_rate', 'facts') }}
