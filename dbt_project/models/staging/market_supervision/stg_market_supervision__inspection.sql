select
    inspection_no,
    uscc,
    _uscc_key as uscc_key,
    _uscc_grade as uscc_grade,
    inspected_on,
    plan_id,
    {{ clean_text('kind') }} as kind,
    {{ clean_text('result') }} as result,
    published_on,
    _changed_at as changed_at
from {{ source('raw_market_supervision', 'inspections') }}
where _deleted_at is null
