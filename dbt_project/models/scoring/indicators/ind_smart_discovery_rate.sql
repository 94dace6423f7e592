-- Valid cases first found by device, video or data match ÷ valid cases, by month of discovery.
with facts as (
    select
        town_code,
        found_period as period,
        is_smart_discovery as is_hit
    from {{ ref('case_outcomes') }}
)

{{ counts_over_groups('smart_discovery_rate', 'facts') }}
