-- What the towns count is part of what the district counts; the rest lies outside the 36 towns.
select
    indicator_code,
    period
from {{ ref('indicator_values') }}
group by indicator_code, period
having
    sum(denominator) filter (where dimension = 'town') > sum(denominator) filter (where dimension = 'district')
    or sum(numerator) filter (where dimension = 'town') > sum(numerator) filter (where dimension = 'district')
