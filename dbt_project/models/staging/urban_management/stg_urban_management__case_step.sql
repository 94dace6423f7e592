select
    case_no,
    seq,
    {{ clean_text('action') }} as action,
    {{ clean_text('actor_kind') }} as actor_kind,
    {{ clean_text('loop_level') }} as loop_level,
    at as step_at,
    {{ clean_text('outcome') }} as outcome,
    _changed_at as changed_at
from {{ source('raw_urban_management', 'case_steps') }}
where _deleted_at is null
