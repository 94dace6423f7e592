-- One row per valid case with the month it was found in and the month it fell due in, by the district's clock.
select
    case_no,
    scenario_code,
    town_code,
    is_smart_discovery,
    found_at,
    {{ local_period('found_at') }} as found_period,
    effective_due_at,
    -- Null until the deadline has passed: what is not due yet is in no denominator.
    case when effective_due_at < {{ business_end() }} then {{ local_period('effective_due_at') }} end as due_period,
    is_standard_disposal,
    is_closed_on_time
from {{ ref('cases') }}
where
    is_valid
    and {{ touched_record('urban_management', 'cases', 'case_no') }}
