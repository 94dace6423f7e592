select
    bed_no,
    home_no,
    {{ clean_text('room') }} as room,
    {{ clean_text('kind') }} as kind,
    {{ clean_text('status') }} as status,
    _changed_at as changed_at
from {{ source('raw_care_homes', 'beds') }}
where _deleted_at is null
