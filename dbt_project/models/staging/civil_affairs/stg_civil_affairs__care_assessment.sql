select
    assessment_no,
    person_no,
    care_level,
    assessed_on,
    valid_until,
    _changed_at as changed_at
from {{ source('raw_civil_affairs', 'care_assessments') }}
where _deleted_at is null
