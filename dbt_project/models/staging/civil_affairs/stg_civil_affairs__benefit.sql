select
    grant_no,
    person_no,
    {{ clean_text('kind') }} as kind,
    monthly_cny,
    started_on,
    ended_on,
    updated_at,
    _changed_at as changed_at
from {{ source('raw_civil_affairs', 'benefits') }}
where _deleted_at is null
