select
    equipment_no,
    uscc,
    _uscc_key as uscc_key,
    _uscc_grade as uscc_grade,
    {{ clean_text('kind') }} as kind,
    {{ clean_text('installed_at_address') }} as installed_at_address,
    last_maintained_on,
    next_due_on,
    _changed_at as changed_at
from {{ source('raw_market_supervision', 'special_equipment') }}
where _deleted_at is null
