select
    site_no,
    weighed_on,
    wet_kg,
    dry_kg,
    recyclable_kg,
    hazardous_kg,
    is_sorted_ok,
    _changed_at as changed_at
from {{ source('raw_urban_management', 'waste_weighings') }}
where _deleted_at is null
