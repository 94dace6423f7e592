select
    notice_no,
    uscc,
    _uscc_key as uscc_key,
    _uscc_grade as uscc_grade,
    {{ clean_text('"double"') }} as double_kind,
    sent_at,
    due_at,
    done_at,
    _changed_at as changed_at
from {{ source('raw_market_supervision', 'lifecycle_notices') }}
where _deleted_at is null
