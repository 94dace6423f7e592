-- Which home each stay is in. The source overwrites it: where a corrected stay was before, only this table still knows.
select
    stay_no,
    home_no
from {{ ref('stg_care_homes__stay') }}
where {{ touched_record('care_homes', 'stays', 'stay_no') }}
-- depends_on: {{ ledger('touched_homes') }}
