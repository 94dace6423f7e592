select
    device_no,
    on_date,
    home_no,
    {{ clean_text('kind') }} as kind,
    hours_online,
    _changed_at as changed_at
from {{ source('raw_care_homes', 'device_uptime') }}
where _deleted_at is null
