-- Publications done in time ÷ publications due in the month.
with facts as (
    select
        town_code,
        due_period as period,
        is_done_on_time as is_hit
    from {{ ref('lifecycle_notice_outcomes') }}
    where double_kind = 'publication'
)

{{ counts_over_groups('dual_publication_rate', 'facts') }}
