select
    person_no,
    {{ clean_name('name') }} as name,
    id_no,
    _id_no_key as id_no_key,
    _id_no_grade as id_no_grade,
    {{ sex_code('sex') }} as sex_code,
    birth_on,
    {{ clean_text('hukou_address') }} as hukou_address,
    {{ clean_text('home_address') }} as home_address,
    {{ clean_text('town_code') }} as town_code,
    {{ clean_text('committee_code') }} as committee_code,
    {{ clean_phone('phone') }} as phone,
    {{ clean_text('marital_status') }} as marital_status,
    died_on,
    updated_at,
    _changed_at as changed_at
from {{ source('raw_civil_affairs', 'residents') }}
where _deleted_at is null
