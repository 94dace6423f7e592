-- Per case: how many steps it has taken.
select
    case_no,
    count(*)::integer as step_count
from {{ ref('stg_urban_management__case_step') }}
where
    step_at < {{ business_end() }}
    and {{ touched_record('urban_management', 'cases', 'case_no') }}
group by case_no
