-- Home × day over the months shown: elders in residence and licensed beds. A home counts from the day it was filed.
-- Licensed beds are those of today's register; the register keeps no history of them.
with homes as (
    select
        home_no,
        town_code,
        filed_on,
        licensed_beds
    from {{ ref('stg_care_homes__institution') }}
),

stays as (
    select
        home_no,
        admitted_on,
        discharged_on
    from {{ ref('stg_care_homes__stay') }}
),

days as (
    select ({{ window_start() }} + step)::date as on_date
    from generate_series(0, {{ business_date() }} - {{ window_start() }}) as step
),

-- Residence as arrivals and departures; adding them up day by day costs one pass instead of stays × days.
movements as (
    select
        home_no,
        greatest(admitted_on, {{ window_start() }}) as on_date,
        1 as change
    from stays
    where
        {{ touched_home('home_no') }}
        and admitted_on <= {{ business_date() }}
        and (discharged_on is null or (discharged_on > admitted_on and discharged_on > {{ window_start() }}))
    union all
    select
        home_no,
        discharged_on,
        -1
    from stays
    where
        {{ touched_home('home_no') }}
        and admitted_on <= {{ business_date() }}
        and discharged_on > admitted_on
        and discharged_on > {{ window_start() }}
        and discharged_on <= {{ business_date() }}
),

net as (
    select
        home_no,
        on_date,
        sum(change) as change
    from movements
    group by home_no, on_date
),

-- The days that came since the base; none in a whole build.
since as (
    select
        stays.home_no,
        days.on_date,
        count(*)::integer as in_residence_count
    from stays
    inner join days on {{ in_residence('stays', 'days.on_date') }}
    where {{ came_since_base('days.on_date') }}
    group by stays.home_no, days.on_date
),

occupied as (
    select
        home.home_no,
        home.town_code,
        home.filed_on,
        home.licensed_beds,
        days.on_date,
        sum(coalesce(net.change, 0)) over (
            partition by home.home_no
            order by days.on_date
            rows unbounded preceding
        )::integer as in_residence_count
    from homes as home
    cross join days
    left join net on home.home_no = net.home_no and days.on_date = net.on_date
    where {{ touched_home('home.home_no') }}
    union all
    -- Of all other homes those days alone.
    select
        home.home_no,
        home.town_code,
        home.filed_on,
        home.licensed_beds,
        days.on_date,
        coalesce(since.in_residence_count, 0)
    from homes as home
    inner join days on {{ came_since_base('days.on_date') }}
    left join since on home.home_no = since.home_no and days.on_date = since.on_date
    where not {{ touched_home('home.home_no') }}
)

select
    home_no,
    on_date,
    to_char(on_date, 'YYYY-MM') as period,
    town_code,
    in_residence_count,
    licensed_beds,
    in_residence_count > licensed_beds as is_over_bed
from occupied
where filed_on is null or filed_on <= on_date
