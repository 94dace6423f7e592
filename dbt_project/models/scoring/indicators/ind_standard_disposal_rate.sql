-- Due in the month, disposed in time and accepted at the first check ÷ due in the month.
with facts as (
    select
        town_code,
        due_period as period,
        is_standard_disposal as is_hit
    from {{ ref('case_outcomes') }}
    where due_period is not null
)

{{ counts_over_groups('standard_disposal_rate', 'facts') }}
