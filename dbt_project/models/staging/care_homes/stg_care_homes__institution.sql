select
    home_no,
    {{ clean_name('name') }} as name,
    uscc,
    _uscc_key as uscc_key,
    _uscc_grade as uscc_grade,
    licensed_beds,
    basic_beds,
    filed_on,
    star,
    {{ clean_text('address') }} as address,
    {{ clean_text('town_code') }} as town_code,
    _changed_at as changed_at
from {{ source('raw_care_homes', 'institutions') }}
where _deleted_at is null
