-- Due in the month and closed in time ÷ due in the month.
with facts as (
    select
        town_code,
        due_period as period,
        is_closed_on_time as is_hit
    from {{ ref('case_outcomes') }}
    where due_period is not null
)

{{ counts_over_groups('on_time_closure_rate', 'facts') }}
