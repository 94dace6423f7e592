-- Who stands in which relation to whom, one row per relation and the record that states it.
with stated as (
    select
        'legal_representative' as kind,
        'resident' as from_kind,
        person.resident_id as from_id,
        'enterprise' as to_kind,
        firm.enterprise_id as to_id,
        null::date as since_on,
        null::date as until_on,
        -- A revoked firm still has its representative until it is struck off.
        (register.status is distinct from 'cancelled') as is_current,
        'market_supervision' as source_system,
        'enterprises' as source_table,
        register.uscc as source_key
    from {{ ref('stg_market_supervision__enterprise') }} as register
    inner join {{ ref('int_resident_links') }} as person
        on person.source = 'market_supervision.enterprises' and register.uscc = person.record_key
    inner join {{ ref('int_enterprise_links') }} as firm
        on firm.source = 'market_supervision.enterprises' and register.uscc = firm.record_key
    where {{ touched_record('market_supervision', 'enterprises', 'register.uscc') }}
    union all
    select
        'lives_in_home',
        'resident',
        person.resident_id,
        'care_home',
        stay.home_no,
        stay.admitted_on,
        case when stay.discharged_on <= {{ business_date() }} then stay.discharged_on end,
        coalesce({{ in_residence('stay', business_date()) }}, false),
        'care_homes',
        'stays',
        stay.stay_no
    from {{ ref('stg_care_homes__stay') }} as stay
    inner join {{ ref('int_resident_links') }} as person
        on person.source = 'care_homes.stays' and stay.stay_no = person.record_key
    where {{ touched_record('care_homes', 'stays', 'stay.stay_no') }}
    union all
    select
        'works_at',
        'resident',
        person.resident_id,
        'care_home',
        staff.home_no,
        null,
        null,
        coalesce(staff.on_post, false),
        'care_homes',
        'staff',
        staff.staff_no
    from {{ ref('stg_care_homes__staff_member') }} as staff
    inner join {{ ref('int_resident_links') }} as person
        on person.source = 'care_homes.staff' and staff.staff_no = person.record_key
    where {{ touched_record('care_homes', 'staff', 'staff.staff_no') }}
    union all
    select
        'operates',
        'enterprise',
        firm.enterprise_id,
        'care_home',
        home.home_no,
        home.filed_on,
        null,
        true,
        'care_homes',
        'institutions',
        firm.record_key
    from {{ ref('stg_care_homes__institution') }} as home
    inner join {{ ref('int_enterprise_links') }} as firm
        on firm.source = 'care_homes.institutions' and home.home_no = firm.record_key
    where {{ touched_record('care_homes', 'institutions', 'home.home_no') }}
)

select
    md5(concat_ws('|', kind, from_id, to_id, source_system, source_table, source_key)) as relation_id,
    kind::text as kind,
    from_kind::text as from_kind,
    from_id::text as from_id,
    to_kind::text as to_kind,
    to_id::text as to_id,
    since_on,
    until_on,
    is_current,
    source_system::text as source_system,
    source_table::text as source_table,
    source_key::text as source_key,
    source_system || '.' || source_table || ':' || source_key as evidence
from stated
where to_id is not null
