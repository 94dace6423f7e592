select
    uscc,
    _uscc_key as uscc_key,
    _uscc_grade as uscc_grade,
    {{ clean_name('name') }} as name,
    {{ clean_text('kind') }} as kind,
    {{ clean_name('legal_rep_name') }} as legal_rep_name,
    legal_rep_id_no,
    _legal_rep_id_no_key as legal_rep_id_no_key,
    _legal_rep_id_no_grade as legal_rep_id_no_grade,
    registered_capital_cny,
    established_on,
    {{ clean_text('status') }} as status,
    {{ clean_text('industry_code') }} as industry_code,
    {{ clean_text('address') }} as address,
    {{ clean_text('town_code') }} as town_code,
    updated_at,
    _changed_at as changed_at
from {{ source('raw_market_supervision', 'enterprises') }}
where _deleted_at is null
