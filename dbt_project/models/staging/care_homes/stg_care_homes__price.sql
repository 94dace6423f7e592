select
    home_no,
    item,
    filed_on,
    monthly_cny,
    _changed_at as changed_at
from {{ source('raw_care_homes', 'prices') }}
where _deleted_at is null
