select
    site_no,
    {{ clean_text('kind') }} as kind,
    {{ clean_name('name') }} as name,
    {{ clean_text('address') }} as address,
    {{ clean_text('town_code') }} as town_code,
    {{ clean_text('committee_code') }} as committee_code,
    property_uscc,
    _property_uscc_key as property_uscc_key,
    _property_uscc_grade as property_uscc_grade,
    _changed_at as changed_at
from {{ source('raw_urban_management', 'sites') }}
where _deleted_at is null
