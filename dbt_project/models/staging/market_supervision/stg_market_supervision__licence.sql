select
    licence_no,
    uscc,
    _uscc_key as uscc_key,
    _uscc_grade as uscc_grade,
    {{ clean_text('kind') }} as kind,
    valid_from,
    valid_until,
    {{ clean_text('status') }} as status,
    _changed_at as changed_at
from {{ source('raw_market_supervision', 'licences') }}
where _deleted_at is null
