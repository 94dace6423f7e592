select
    staff_no,
    home_no,
    {{ clean_name('name') }} as name,
    id_no,
    _id_no_key as id_no_key,
    _id_no_grade as id_no_grade,
    {{ clean_text('role') }} as role,
    {{ clean_text('qualification') }} as qualification,
    qualified_until,
    health_cert_until,
    on_post,
    _changed_at as changed_at
from {{ source('raw_care_homes', 'staff') }}
where _deleted_at is null
