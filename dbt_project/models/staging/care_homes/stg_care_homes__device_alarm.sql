select
    alarm_no,
    home_no,
    device_no,
    {{ clean_text('kind') }} as kind,
    raised_at,
    acknowledged_at,
    cleared_at,
    is_false,
    _changed_at as changed_at
from {{ source('raw_care_homes', 'device_alarms') }}
where _deleted_at is null
