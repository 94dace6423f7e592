select
    penalty_no,
    uscc,
    _uscc_key as uscc_key,
    _uscc_grade as uscc_grade,
    decided_on,
    {{ clean_text('cause') }} as cause,
    amount_cny,
    published_on,
    _changed_at as changed_at
from {{ source('raw_market_supervision', 'penalties') }}
where _deleted_at is null
