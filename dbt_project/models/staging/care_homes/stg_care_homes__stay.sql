select
    stay_no,
    home_no,
    bed_no,
    {{ clean_name('name') }} as name,
    id_no,
    _id_no_key as id_no_key,
    _id_no_grade as id_no_grade,
    {{ sex_code('sex') }} as sex_code,
    birth_on,
    care_level,
    admitted_on,
    discharged_on,
    monthly_fee_cny,
    has_contract,
    {{ clean_text('emergency_contact') }} as emergency_contact,
    is_basic_bed,
    updated_at,
    _changed_at as changed_at
from {{ source('raw_care_homes', 'stays') }}
where _deleted_at is null
